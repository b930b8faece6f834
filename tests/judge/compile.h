// Turns a student's source file into a library.
#pragma once

#include <string>
#include <vector>

#include "process.h"

namespace judge {

// A directory of our own for the time of a run, removed with everything in it. Throws InternalError if none can be
// made.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Compiles source with `compiler... -o library source`. Throws Failure with the compiler's own message, and
// InternalError if the compiler cannot be run.
void compile(
    const std::vector<std::string>& compiler, const std::string& source, const std::string& library,
    Seconds limit);

// Throws Failure unless source is a regular file that can be read.
void require_source(const std::string& source);

}  // namespace judge
