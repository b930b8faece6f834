// The padding column of a transposition tile is neither written nor read.
#include "../device_vector.h"

template <typename T, int N>
__global__ void transpose(const T* in, T* out, int width) {
  __shared__ T tile[N][N + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  tile[ty][tx] = in[(blockIdx.y * N + ty) * width + blockIdx.x * N + tx];
  __syncthreads();
  out[(blockIdx.x * N + ty) * width + blockIdx.y * N + tx] = tile[tx][ty];
}

int main() {
  const int n = 48;
  DeviceVector<double> in(iota<double>(n * n)), out(n * n);
  transpose<double, 16><<<dim3(3, 3), dim3(16, 16)>>>(in.get(), out.get(), n);
  CHECK_LAUNCH();
  const std::vector<double> seen = out.host();
  for (int i = 0; i < n * n; ++i) CHECK_EQ(seen[i], i % n * n + i / n);
  return check_result();
}
