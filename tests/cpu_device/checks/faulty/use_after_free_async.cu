// expect: error use-after-free [A]
// Freed in stream order before the second kernel of the same stream.
#include "../device_array.h"

template <int ROUNDS>
__global__ void accumulate(const float* in, float* out) {
  float sum = 0.0f;
  for (int r = 0; r < ROUNDS; ++r) {
    sum += in[r * blockDim.x + threadIdx.x];  // [A]
  }
  out[threadIdx.x] = sum;
}

int main() {
  cudaStream_t stream;
  cudaStreamCreate(&stream);
  DeviceArray<float> out(32);
  float* in = nullptr;
  cudaMallocAsync(reinterpret_cast<void**>(&in), 4 * 32 * sizeof(float), stream);
  cudaMemsetAsync(in, 0, 4 * 32 * sizeof(float), stream);
  cudaFreeAsync(in, stream);
  accumulate<4><<<1, 32, 0, stream>>>(in, out);
  finish();
  cudaStreamDestroy(stream);
  return 0;
}
