// Device memory of the faulty programs: filled with zeros or left as cudaMalloc gave it, and freed
// at the end of its scope. No result is looked at but by finish().
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#ifdef CPU_DEVICE
#include <cpu_device.h>
#endif

enum class Fill { kZero, kNone };

template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count, Fill fill = Fill::kZero) {
    cudaMalloc(&data_, count * sizeof(T));
    if (fill == Fill::kZero) cudaMemset(data_, 0, count * sizeof(T));
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  operator T*() const { return data_; }
  T* get() const { return data_; }

 private:
  T* data_ = nullptr;
};

// Tells the checks that no kernel may write there; a GPU has no such thing.
inline void mark_read_only(const void* data, size_t bytes) {
#ifdef CPU_DEVICE
  cpuDeviceMarkReadOnly(data, bytes);
#else
  (void)data;
  (void)bytes;
#endif
}

// Waits for the device, takes notice of any error, and is main()'s result.
inline int finish() {
  cudaDeviceSynchronize();
  cudaGetLastError();
  return 0;
}
