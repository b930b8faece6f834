// Inclusive scan that reads one half of a dynamic array and writes the other: one barrier per step.
#include "../device_vector.h"

template <typename T>
__global__ void scan(const T* in, T* out) {
  extern __shared__ double storage[];
  T* from = reinterpret_cast<T*>(storage);
  T* to = from + blockDim.x;
  const int t = threadIdx.x;
  from[t] = in[t];
  for (int d = 1; d < blockDim.x; d *= 2) {
    __syncthreads();
    to[t] = t >= d ? from[t] + from[t - d] : from[t];
    T* const swapped = from;
    from = to;
    to = swapped;
  }
  out[t] = from[t];
}

int main() {
  DeviceVector<long long> in(iota<long long>(100, 1)), out(100);
  scan<<<1, 100, 2 * 100 * sizeof(long long)>>>(in.get(), out.get());
  CHECK_LAUNCH();
  const std::vector<long long> seen = out.host();
  for (long long i = 0; i < 100; ++i) CHECK_EQ(seen[i], (i + 1) * (i + 2) / 2);
  return check_result();
}
