//! The same for tasks.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use pinode_signaling::isp::demon::Event;
use pinode_signaling::isp::{ErrorCode, Sap};
use pinode_signaling::socket::Error;
use pinode_signaling::socket::asynchronous::{Listener, Stream};
use tokio::time::timeout;

use crate::bench::{self, PATIENCE, SDU, call};
use crate::script::daemon;

/// Runs a test's task on the test's own thread, and so in its namespace.
fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { timeout(PATIENCE, task).await.expect("in time") })
}

#[test]
fn a_stream_crosses_a_link_both_ways() {
    const FRAMES: u32 = 500;
    if !bench::veth("asynchronous::a_stream_crosses_a_link_both_ways") {
        return;
    }
    let (near, far) = (bench::pvc("near", 17), bench::pvc("far", 17));
    let (signaling, script) = daemon(move |mut daemon| {
        let listen_vcc = daemon.listens();
        let caller = daemon.hears_connect();
        let (qos, svc) = (call(1).qos, Sap::from(bench::address(2)));
        let indicate = daemon.demon.indicate(listen_vcc, 7, far, qos.turned(), svc);
        daemon.says(indicate);
        let Event::Accept { vcc: called, .. } = daemon.hears() else {
            panic!("no accept");
        };
        let okay = daemon.demon.okay_accept(called, bench::address(1));
        daemon.says(okay);
        let okay = daemon
            .demon
            .okay_connect(caller, near, bench::address(2), qos);
        daemon.says(okay);
        daemon.hears_close(caller);
        let close = daemon.demon.close(called, None);
        daemon.says(close);
        assert_eq!(daemon.hears(), Event::Gone { vcc: called });
        daemon.hears_close(listen_vcc);
        daemon.hears_the_end();
    });
    run(async {
        let (address, qos) = (bench::address(1), call(1).qos);
        let listener = Listener::bind(&signaling, address, qos).await.unwrap();
        assert_eq!(listener.local(), address);
        let request = call(1);
        let (caller, called) =
            tokio::join!(Stream::connect(&signaling, &request), listener.accept());
        let (caller, called) = (caller.unwrap(), called.unwrap());
        assert_eq!((caller.peer(), called.peer()), (address, bench::address(2)));
        for (from, to) in [(&caller, &called), (&called, &caller)] {
            let send = async {
                for number in 0..FRAMES {
                    from.send(&number.to_be_bytes()).await.unwrap();
                }
            };
            let receive = async {
                let mut into = [0; SDU as usize];
                for number in 0..FRAMES {
                    let received = to.receive(&mut into).await.unwrap();
                    let found = (&into[..received.octets], received.lost);
                    assert_eq!(found, (&number.to_be_bytes()[..], 0));
                }
            };
            tokio::join!(send, receive);
        }
        caller.close();
        let error = called.receive(&mut [0; SDU as usize]).await.unwrap_err();
        assert!(matches!(error, Error::Closed { code: None, .. }), "{error}");
        let error = called.send(b"x").await.unwrap_err();
        assert!(matches!(error, Error::Closed { code: None, .. }), "{error}");
    });
    drop(signaling);
    script.join().unwrap();
}

#[test]
fn a_daemon_that_takes_nothing_for_a_while_gets_all_in_the_end() {
    /// More than fit into the socket's buffer.
    const CALLS: usize = 600;
    let (asked, were_asked) = mpsc::channel();
    let (signaling, script) = daemon(move |mut daemon| {
        were_asked.recv().unwrap();
        // All are heard before one is answered.
        let vccs: Vec<_> = (0..CALLS).map(|_| daemon.hears_connect()).collect();
        for vcc in vccs {
            let error = daemon.demon.error(vcc, ErrorCode::TOO_MANY);
            daemon.says(error);
        }
        daemon.hears_the_end();
    });
    run(async {
        let request = call(2);
        let connect = |_| Box::pin(Stream::connect(&signaling, &request));
        let mut calls: Vec<_> = (0..CALLS).map(connect).collect();
        // Each asks when it is polled first.
        poll_fn(|context| {
            for call in &mut calls {
                assert!(call.as_mut().poll(context).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        asked.send(()).unwrap();
        for call in calls {
            let error = call.await.err();
            assert!(matches!(error, Some(Error::Refused { .. })), "{error:?}");
        }
    });
    drop(signaling);
    script.join().unwrap();
}

#[test]
fn what_is_dropped_is_given_up() {
    let (gave_up, given_up) = mpsc::channel();
    let (signaling, script) = daemon(move |mut daemon| {
        let vcc = daemon.hears_connect();
        given_up.recv().unwrap();
        daemon.hears_close(vcc);
        // The daemon goes while somebody waits.
        daemon.hears_connect();
    });
    run(async {
        let request = call(2);
        let connect = Stream::connect(&signaling, &request);
        assert!(timeout(Duration::from_millis(20), connect).await.is_err());
        gave_up.send(()).unwrap();
        let error = Stream::connect(&signaling, &request).await.err();
        assert!(matches!(error, Some(Error::Unavailable)), "{error:?}");
    });
    script.join().unwrap();
}
