/* Passive opens: sockets that listen, accept, reject and close, beside sockets that connect: both roles.
 *
 * Figures 5, 6, 11 and 12 of "Linux ATM internal signaling protocol", version 0.2. How to run it: sides.pml.
 */
#ifndef SOCKETS
#define SOCKETS 3
#endif
#ifndef LISTENERS
#define LISTENERS 1     /* sockets from 1 that may listen */
#endif
#ifndef CALLS
#define CALLS 2         /* calls that the network offers */
#endif
#define CALLED
#ifndef ONLY_CALLED
#define CALLER
#endif

#include "sides.pml"
