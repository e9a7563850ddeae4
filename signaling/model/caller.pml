/* Active opens: sockets that bind, connect and close, and a demon that grants, refuses and closes.
 *
 * Figures 4 and 7 to 10 of "Linux ATM internal signaling protocol", version 0.2. How to run it: sides.pml.
 */
#ifndef SOCKETS
#define SOCKETS 3
#endif
#define CALLER

#include "sides.pml"
