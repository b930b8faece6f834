// Ctrl-C and its relatives: kills the running child at once and lets the judge leave in good order.
#pragma once

#include <sys/types.h>

namespace judge {

// Handles SIGINT, SIGTERM and SIGHUP from now on, and ignores SIGPIPE.
void install_interrupt_handlers();

// The signal that asked the judge to stop, 0 if none did.
int interrupted();

// The process group that an interrupt has to kill, 0 for none.
void set_child_group(pid_t group);

}  // namespace judge
