/* SPDX-License-Identifier: Apache-2.0 */
/* EV_ASSERT(x): a precondition of a kernel. With EV_DEBUG defined it is assert() of <assert.h>; else it is nothing, and
   x is not evaluated. Define EV_DEBUG for every file of a build or for none. */
#ifndef EV_ASSERT_H
#define EV_ASSERT_H

#ifdef EV_DEBUG

#undef NDEBUG /* zig cc defines it where it optimises */
#include <assert.h>

#define EV_ASSERT(x) assert(x)

#else

#define EV_ASSERT(x) ((void)sizeof((x) ? 1 : 0))

#endif

#endif
