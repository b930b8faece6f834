#include "interrupt.h"

#include <signal.h>

#include <atomic>
#include <initializer_list>

namespace judge {
namespace {

std::atomic<int> caught_signal{0};
std::atomic<pid_t> child_group{0};

void on_signal(int signal) {
  caught_signal = signal;
  const pid_t group = child_group;
  if (group > 0) kill(-group, SIGKILL);
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int interrupted() { return caught_signal; }

void set_child_group(pid_t group) { child_group = group; }

}  // namespace judge
