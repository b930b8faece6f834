// A scratch exchange that lacks a barrier, for shared_race_in_header.cu.
#pragma once

template <typename T>
__device__ T rotate_by(T* scratch, T value, int distance) {
  const int n = blockDim.x, t = threadIdx.x;
  scratch[t] = value;  // [A]
  __syncthreads();
  const T result = scratch[(t + distance) % n];  // [B]
  return result;
}
