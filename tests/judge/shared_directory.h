// What judges that run at the same time on one machine share: a directory, COURSE_SHARED_DIR, if somebody gave them one.
#pragma once

#include <string>
#include <vector>

namespace judge {

// The directory, or own where there is none.
std::string shared_directory(const std::string& own);

// Holds a file that only one process at a time can hold; waits for it.
class Lock {
 public:
  explicit Lock(const std::string& path);
  ~Lock();
  Lock(Lock&& other) noexcept;
  Lock& operator=(Lock&&) = delete;

 private:
  int fd_;
};

// A share of the GPU's memory, for tensors of several GiB: at most so many processes have one at a time, and one that
// takes everything has it alone.
class MemoryShare {
 public:
  MemoryShare(const std::string& directory, bool everything);

 private:
  std::vector<Lock> locks_;
};

}  // namespace judge
