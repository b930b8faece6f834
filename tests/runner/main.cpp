// runner LIBRARY [REQUESTS REPLIES]: loads a student's library and serves the judge's requests (protocol.h).
//
// They come and go through pipes of the judge's. With two files instead, a tool may stand between judge and runner, one
// that does not hand on descriptors: the requests are read from the first file, the answers written to the second.
//
// It holds nothing that is worth stealing: no reference, no verdict, no seed.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "device.h"
#include "meter.h"
#include "protocol.h"
#include "session.h"

namespace {

constexpr unsigned kFilesSeconds = 120;  // that serving a file of requests may take

int request_fd = protocol::kRequestFd;
int reply_fd = protocol::kReplyFd;

// False at the end of the pipe.
bool read_all(void* to, std::size_t bytes) {
  char* next = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = read(request_fd, next, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    next += got;
    bytes -= got;
  }
  return true;
}

bool write_all(const void* from, std::size_t bytes) {
  const char* next = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = write(reply_fd, next, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    next += put;
    bytes -= put;
  }
  return true;
}

// The judge checks what it sends; this guards against a runner and a judge of different versions.
bool valid(const protocol::Request& request) {
  if (request.magic != protocol::kMagic || request.version != protocol::kVersion) return false;
  if (request.guard_floats > protocol::kMaxGuard) return false;
  const bool last_head = request.flags & protocol::kLastHead;
  const std::uint64_t most = last_head ? protocol::kMaxSparse : protocol::kMaxElements;
  if (last_head && request.guard_floats > 0) return false;
  if (static_cast<std::uint32_t>(request.operation) >= protocol::kOperations) return false;
  for (int t = 0; t < protocol::kTensors; ++t) {
    if (request.elements[t] > most || request.offset_floats[t] > 64) return false;
    if (protocol::valued_elements(request, t) > protocol::kMaxElements) return false;
  }
  return request.payload_bytes == protocol::request_payload(request);
}

// Looks for the function of an operation and says whether the library has it.
template <typename Function>
void find(
    void* library, protocol::Operation operation, Function* function, protocol::Hello* hello) {
  void* const found = dlsym(library, protocol::function_name(operation));
  if (found == nullptr) return;
  *function = reinterpret_cast<Function>(found);
  hello->functions |= 1u << static_cast<std::uint32_t>(operation);
}

// Loads the library and says how that went.
runner::EntryPoints load(const char* path, protocol::Hello* hello) {
  using protocol::Operation;
  runner::EntryPoints entry_points;
  hello->status = protocol::LoadStatus::kReady;
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    hello->status = protocol::LoadStatus::kNotLoadable;
    std::snprintf(hello->text, sizeof(hello->text), "%s", dlerror());
    return entry_points;
  }
  find(library, Operation::kForward, &entry_points.forward, hello);
  find(library, Operation::kBackward, &entry_points.backward, hello);
  find(library, Operation::kStages, &entry_points.stages, hello);
  const runner::Bypass own;
  if (hello->functions == 0)
    hello->status = protocol::LoadStatus::kNoEntryPoint;
  else if (!runner::device_ready(hello->text, sizeof(hello->text)))
    hello->status = protocol::LoadStatus::kNoDevice;
  return entry_points;
}

}  // namespace

int main(int argc, char** argv) {
  const bool has_files = argc == 4;
  if (has_files) {
    request_fd = open(argv[2], O_RDONLY);
    reply_fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    alarm(kFilesSeconds);  // the judge knows the tool only, and may stop nothing but that
  }
  if ((argc != 2 && !has_files) || fcntl(request_fd, F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(reply_fd, F_SETFD, FD_CLOEXEC) != 0) {
    std::fprintf(
        stderr,
        "usage: runner LIBRARY, with pipes of the judge on descriptors 3 and 4,\n"
        "   or: runner LIBRARY REQUESTS REPLIES\n");
    return 2;
  }
  protocol::Hello hello{};
  hello.magic = protocol::kMagic;
  hello.version = protocol::kVersion;
  hello.status = protocol::LoadStatus::kStarting;
  if (!write_all(&hello, sizeof(hello))) return 2;
  const runner::EntryPoints entry_points = load(argv[1], &hello);
  if (!write_all(&hello, sizeof(hello)) || hello.status != protocol::LoadStatus::kReady) _exit(0);

  runner::Session session(entry_points);
  protocol::Request request;
  std::vector<float> inputs;
  while (read_all(&request, sizeof(request))) {
    if (!valid(request) ||
        !(hello.functions >> static_cast<std::uint32_t>(request.operation) & 1)) {
      std::fprintf(stderr, "runner: malformed request\n");
      return 2;
    }
    inputs.resize(request.payload_bytes / sizeof(float));
    if (!read_all(inputs.data(), request.payload_bytes)) break;
    const runner::Answer answer = session.serve(request, inputs);
    if (!write_all(&answer.reply, sizeof(answer.reply)) ||
        !write_all(answer.outputs.data(), answer.outputs.size() * sizeof(float)))
      break;
  }
  runner::device_write_findings();
  std::fflush(nullptr);
  if (has_files) {
    runner::
        device_reset();  // a tool may tell what it knows only at the end of the device's context,
    std::exit(0);        // or of the process
  }
  _exit(0);  // no destructors: the library's could crash, and everything has been said
}
