/* Both sides of the internal signalling protocol, their queues, and the rules that must hold.
 *
 *   Application (one a socket) --calls--> kernel side ==to_demon==> Demon --> CallControl (one a socket)
 *                     Kernel (hears)      <==to_kernel== answers <---------------'
 *
 * caller.pml and called.pml say which roles there are; by hand:
 *
 *   spin -a caller.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan
 *   spin -T -n17 called.pml          one run; its lines "isp ..." are the messages
 *
 * Each side is as in src/isp: states have its names, and the lines printed are replayed through its code
 * (tests/model). A line: who, says | hears | drops, type, vcc, listen_vcc, call, what an okay answers or what
 * was made of a message.
 *
 * -DBROKEN_... removes a rule each: the model must notice.
 */

#ifndef QUEUE
#define QUEUE 4         /* messages on their way to the demon */
#endif
#ifndef ANSWERS
#define ANSWERS 2       /* to the kernel; 0: synchronous, as in Linux (2.1) */
#endif

mtype = { as_bind, as_connect, as_listen, as_accept, as_reject, as_okay, as_error, as_indicate, as_close };

/* States; of both sides where they have the same name. */
mtype = { none, binding, connecting, registering, accepting, connected, ended, listening,
          fresh, closing, deregistering, gone,          /* of the kernel side */
          ending, left };                               /* of the demon */

/* What was made of a message. */
mtype = { bound, failed, incoming, accepted, closed, crossed, stray, released, rejected, violation };

chan to_demon = [QUEUE] of { mtype, byte, byte, byte };   /* type, vcc, listen_vcc, call: the last for rules only */
chan to_kernel = [ANSWERS] of { mtype, byte, byte };      /* type, vcc (of an indication: listen_vcc), call */

#if ANSWERS == 0
#define ROOM true
#else
#define ROOM nfull(to_kernel)
#endif

mtype k[SOCKETS + 1] = fresh;       /* the kernel side's sockets */
mtype asked[SOCKETS + 1] = none;    /* what a socket that closes had asked */
mtype d[SOCKETS + 1] = none;        /* the demon's */
byte next = 1;                      /* numbers are given out in order, each once */
byte over = 0;                      /* applications that have ended */

#ifdef CALLED
chan waiting[SOCKETS + 1] = [CALLS] of { byte };    /* calls at the kernel side */
chan pending[SOCKETS + 1] = [CALLS] of { byte };    /* calls at the demon */
byte offered = 0;                                   /* calls so far */
byte answered = 0;
#define NOTHING_WAITS (incoming_calls == 0)
byte incoming_calls = 0;                            /* at the kernel side, over all sockets */

inline take(listener, call) {
    waiting[listener] ? call;
    incoming_calls--
}
#else
#define NOTHING_WAITS true
#endif

inline k_says(type, vcc, listen_vcc, call) {
    printf("isp K says %e %d %d %d none\n", type, vcc, listen_vcc, call);
    to_demon ! type, vcc, listen_vcc, call
}

inline d_says(type, vcc, call, request) {
    printf("isp D says %e %d 0 %d %e\n", type, vcc, call, request);
    to_kernel ! type, vcc, call
}

/* ---- The kernel side: what applications do. ---- */

#define NEW(s) (k[s] == none || (k[s] == fresh && s == next))

/* With -DPATIENT applications use what they have before they close it: fewer runs, but longer ones. */
#ifdef PATIENT
#define MAY_DROP(s) (k[s] == none)
#define MAY_CLOSE(s) (k[s] == connected)
#define MAY_DEREGISTER (offered == CALLS)
#else
#define MAY_DROP(s) NEW(s)
#define MAY_CLOSE(s) (k[s] == connecting || k[s] == accepting || k[s] == connected)
#define MAY_DEREGISTER true
#endif

inline begin(vcc, state) {
    next = (vcc == next -> next + 1 : next);
    k[vcc] = state
}

proctype Application(byte s)
{
    byte c;

    do
#ifdef CALLER
    :: atomic { NEW(s) && nfull(to_demon) -> begin(s, binding); k_says(as_bind, s, 0, 0) }
    :: atomic { NEW(s) && nfull(to_demon) -> begin(s, connecting); k_says(as_connect, s, 0, 0) }
#endif
    :: atomic { MAY_DROP(s) -> begin(s, gone); printf("isp K drops none %d 0 0 none\n", s) }
    :: atomic { MAY_CLOSE(s) && nfull(to_demon) ->
            asked[s] = (k[s] == connected -> none : k[s]);
            k[s] = closing;
            k_says(as_close, s, 0, 0)
        }
    :: atomic { k[s] == ended && nfull(to_demon) ->
            k[s] = gone;
#ifdef BROKEN_ACK               /* "the kernel acknowledges all as_close messages from the demon" (3.4) */
            printf("isp K drops none %d 0 0 none\n", s)
#else
            k_says(as_close, s, 0, 0)
#endif
        }
#ifdef BROKEN_WAIT              /* "must not send any other messages for this socket while waiting" (3.5, 3.7) */
    :: atomic { (k[s] == binding || k[s] == registering) && nfull(to_demon) ->
            k[s] = closing;
            k_says(as_close, s, 0, 0)
        }
#endif
#ifdef CALLED
    :: atomic { NEW(s) && s <= LISTENERS && nfull(to_demon) -> begin(s, registering); k_says(as_listen, s, 0, 0) }
    :: atomic { k[s] == listening && nempty(waiting[s]) && next <= SOCKETS && nfull(to_demon) ->
#ifdef BROKEN_ORDER             /* "must be answered in the order in which they arrive" (3.8) */
            if
            :: len(waiting[s]) > 1 -> waiting[s] ? c; waiting[s] ! c
            :: else
            fi;
#endif
            take(s, c);
            k[next] = accepting;
            next++;
            k_says(as_accept, next - 1, s, c);
            c = 0
        }
    :: atomic { k[s] == listening && nempty(waiting[s]) && nfull(to_demon) ->
            take(s, c);
            k_says(as_reject, 0, s, c);
            c = 0
        }
    :: atomic { k[s] == listening && MAY_DEREGISTER && nfull(to_demon) ->
            k[s] = deregistering;
            k_says(as_close, s, 0, 0)
        }
#ifdef BROKEN_QUEUE             /* "can only be emptied with certainty after ... de-registered" (3.8) */
    :: atomic { k[s] == deregistering && nempty(waiting[s]) && nfull(to_demon) ->
            take(s, c);
            k_says(as_reject, 0, s, c);
            c = 0
        }
#endif
#endif
    :: atomic { k[s] == gone -> over++; break }
    od
}

/* ---- The kernel side: what it makes of the demon's messages. ---- */

active proctype Kernel()
{
    mtype m;
    mtype made;
    byte s;
    byte c;

end_hears:
    do
    :: atomic { to_kernel ? m, s, c ->
            if
#ifdef CALLER
            :: m == as_okay && k[s] == binding -> k[s] = none; made = bound
            :: m == as_okay && k[s] == connecting -> k[s] = connected; made = connected
            :: m == as_error && (k[s] == binding || k[s] == connecting) -> k[s] = none; made = failed
#endif
#ifdef CALLED
            :: m == as_okay && k[s] == registering -> k[s] = listening; made = listening
            :: m == as_okay && k[s] == accepting -> k[s] = connected; made = accepted
            :: m == as_error && k[s] == registering -> k[s] = none; made = failed
            :: m == as_error && k[s] == accepting -> k[s] = gone; made = failed
            :: m == as_indicate && (k[s] == listening || k[s] == deregistering) -> waiting[s] ! c; incoming_calls++; made = incoming
            :: (m == as_close || m == as_error) && k[s] == deregistering -> k[s] = gone; made = gone
#endif
            :: m == as_okay && k[s] == closing && asked[s] != none -> asked[s] = none; made = crossed
            :: m == as_close && k[s] == connected -> k[s] = ended; made = closed
            :: (m == as_close || m == as_error) && k[s] == closing -> k[s] = gone; made = gone
            :: else -> made = violation
            fi;
            printf("isp K hears %e %d 0 %d %e\n", m, s, c, made);
            assert(made != violation);
            c = 0
        }
#ifdef CALLED
       /* De-registered: what waits is rejected (3.8). */
       if
       :: m != as_indicate && made == gone ->
            do
            :: atomic { nempty(waiting[s]) && nfull(to_demon) -> take(s, c); k_says(as_reject, 0, s, c); c = 0 }
            :: empty(waiting[s]) -> break
            od
       :: else
       fi
#endif
       ;
       atomic { m = none; made = none; s = 0 }
    od
}

/* ---- The demon: what it makes of the kernel side's messages. ---- */

active proctype Demon()
{
    mtype m;
    mtype made;
    byte s;
    byte l;
    byte c;
    byte first;

end_hears:
    do
    :: atomic { to_demon ? m, s, l, c ->
            if
#ifdef CALLER
            :: m == as_bind && d[s] == none -> d[s] = binding; made = binding
            :: m == as_connect && d[s] == none -> d[s] = connecting; made = connecting
#endif
#ifdef CALLED
            :: m == as_listen && d[s] == none -> d[s] = registering; made = registering
            :: m == as_accept && d[s] == none && d[l] == listening && len(pending[l]) > 0 ->
                pending[l] ? first;
                answered++;
                made = (first == c -> accepting : violation);
                d[s] = accepting
            :: m == as_reject && (d[l] == listening || d[l] == left) && len(pending[l]) > 0 ->
                pending[l] ? first;
                answered++;
                made = (first == c -> rejected : violation);
                d[l] = (d[l] == left && len(pending[l]) == 0 -> none : d[l])
            :: m == as_close && d[s] == listening -> d[s] = ended; made = closed
#endif
            :: m == as_close && (d[s] == connecting || d[s] == accepting || d[s] == connected) ->
                d[s] = ended;
                made = closed
            :: m == as_close && d[s] == ending -> d[s] = none; made = released
            :: m == as_close && d[s] == none -> made = stray
            :: else -> made = violation
            fi;
            printf("isp D hears %e %d %d %d %e\n", m, s, l, c, made);
            assert(made != violation);
#ifdef BROKEN_STRAY             /* "has to ignore as_close messages which are received for an unknown connection" (3.3) */
            if
            :: made == stray -> d_says(as_close, s, 0, none)
            :: else
            fi;
#endif
#ifdef BROKEN_CLOSE             /* "no further message is generated by the demon" (3.4) */
            if
            :: made == released -> d_says(as_close, s, 0, none)
            :: else
            fi;
#endif
            m = none; made = none; s = 0; l = 0; c = 0; first = 0
        }
    od
}

/* ---- The demon: what call control does. ---- */

#ifdef CALLED
#define FORGOTTEN(s) (len(pending[s]) > 0 -> left : none)
#else
#define FORGOTTEN(s) none
#endif

proctype CallControl(byte s)
{
end_serves:
    do
#ifdef CALLER
    :: atomic { d[s] == binding && ROOM -> d[s] = none; d_says(as_okay, s, 0, as_bind) }
    :: atomic { d[s] == connecting && ROOM -> d[s] = connected; d_says(as_okay, s, 0, as_connect) }
#endif
#ifdef CALLED
    :: atomic { d[s] == registering && ROOM -> d[s] = listening; d_says(as_okay, s, 0, as_listen) }
    :: atomic { d[s] == accepting && ROOM -> d[s] = connected; d_says(as_okay, s, 0, as_accept) }
    :: atomic { d[s] == listening && offered < CALLS && ROOM ->
            offered++;
            pending[s] ! offered;
            d_says(as_indicate, s, offered, none)
        }
#endif
    :: atomic { (d[s] == binding || d[s] == connecting || d[s] == registering || d[s] == accepting) && ROOM ->
            d[s] = none;
            d_says(as_error, s, 0, none)
        }
    :: atomic { d[s] == connected && ROOM -> d[s] = ending; d_says(as_close, s, 0, none) }
    :: atomic { d[s] == ended && ROOM -> d[s] = FORGOTTEN(s); d_says(as_close, s, 0, none) }
    :: atomic { d[s] == ended && ROOM -> d[s] = FORGOTTEN(s); d_says(as_error, s, 0, none) }
    od
}

/* ---- The end: applications have closed all, nothing is on its way. ---- */

active proctype Monitor()
{
    byte s;

    atomic {
        over == SOCKETS && NOTHING_WAITS && empty(to_demon) && empty(to_kernel) ->
        for (s : 1 .. SOCKETS) {
            assert(d[s] == none);
#ifdef CALLED
            assert(empty(waiting[s]) && empty(pending[s]))
#endif
        }
#ifdef CALLED
        assert(answered == offered);
#endif
        printf("isp M ends none 0 0 0 none\n")
    }
}

init {
    byte s;
    atomic {
        for (s : 1 .. SOCKETS) {
            run Application(s);
            run CallControl(s)
        }
    }
}
