// A folder for the files of one run, which goes away with the object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace cpu_device {

class TemporaryFolder {
 public:
  // Throws std::runtime_error where no folder can be made. tool: the beginning of its name.
  explicit TemporaryFolder(const std::string& tool) {
    const std::filesystem::path parent = std::filesystem::temp_directory_path();
    std::string name = (parent / (tool + "-XXXXXX")).string();
    if (mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("cannot make a folder in " + parent.string());
    }
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace cpu_device
