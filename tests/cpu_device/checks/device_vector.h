// Device memory of the correct programs: a host vector's copy, or memory as cudaMalloc gave it;
// freed at the end of its scope.
#pragma once

#include <vector>

#include "../programs/check.h"

template <typename T>
class DeviceVector {
 public:
  explicit DeviceVector(const std::vector<T>& values)
      : data_(upload(values)), count_(values.size()) {}
  explicit DeviceVector(size_t count) : count_(count) {
    CHECK_CUDA(cudaMalloc(&data_, count * sizeof(T)));
  }
  ~DeviceVector() { CHECK_CUDA(cudaFree(data_)); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  operator T*() const { return data_; }
  T* get() const { return data_; }
  std::vector<T> host() const { return download(data_, count_); }

 private:
  T* data_ = nullptr;
  size_t count_ = 0;
};

// 0, 1, 2, ... plus a start value.
template <typename T>
std::vector<T> iota(size_t count, T start = T()) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<T>(start + static_cast<T>(i));
  return values;
}
