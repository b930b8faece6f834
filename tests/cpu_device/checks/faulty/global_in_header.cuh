// A device function with a faulty line, for global_in_header.cu.
#pragma once

template <typename T>
__device__ T window_sum(const T* values, int first, int count) {
  T sum = 0;
  for (int k = 0; k < count; ++k) {
    sum += values[first + k];  // [A]
  }
  return sum;
}
