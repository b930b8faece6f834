// Static arrays and exactly as much dynamic shared memory as the kernel carves out, with alignment.
#include "../device_vector.h"

__global__ void carve(double* out) {
  __shared__ int offset;
  extern __shared__ unsigned char storage[];
  const int t = threadIdx.x, n = blockDim.x;
  unsigned char* const bytes = storage;
  const int rounded = (n + 7) / 8 * 8;
  double* const doubles = reinterpret_cast<double*>(storage + rounded);
  int* const ints = reinterpret_cast<int*>(doubles + n);
  if (t == 0) offset = 1;
  bytes[t] = static_cast<unsigned char>(t);
  doubles[t] = 0.5 * t;
  ints[t] = 3 * t;
  __syncthreads();
  const int other = (t + offset) % n;
  out[t] = bytes[other] + doubles[other] + ints[other];
}

int main() {
  const int n = 50;
  DeviceVector<double> out(n);
  carve<<<1, n, 56 + n*(sizeof(double) + sizeof(int))>>>(out);
  CHECK_LAUNCH();
  const std::vector<double> seen = out.host();
  for (int t = 0; t < n; ++t) CHECK_EQ(seen[t], 4.5 * ((t + 1) % n));
  return check_result();
}
