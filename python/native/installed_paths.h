// Where cucc finds the CPU device when it is part of an installed package: beside itself, in
// ../include and ../lib. Included before cucc.cpp, whose build defines the two names.
#pragma once

#include <filesystem>
#include <string>

inline std::string installed_folder(const char* name) {
  const std::filesystem::path cucc = std::filesystem::read_symlink("/proc/self/exe");
  return (cucc.parent_path().parent_path() / name).string();
}

#define CPU_DEVICE_INCLUDE_DIR installed_folder("include")
#define CPU_DEVICE_LIBRARY_DIR installed_folder("lib")
