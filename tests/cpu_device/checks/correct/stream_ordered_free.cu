// cudaFreeAsync behind the kernel that uses the memory; a later allocation may get its place.
#include "../device_vector.h"

__global__ void fill(int* scratch, int value) { scratch[threadIdx.x] = value; }
__global__ void add(const int* scratch, int* out) { out[threadIdx.x] += scratch[threadIdx.x]; }

int main() {
  cudaStream_t stream;
  CHECK_CUDA(cudaStreamCreate(&stream));
  DeviceVector<int> out(std::vector<int>(64, 0));
  CHECK_CUDA(cudaDeviceSynchronize());
  for (int round = 1; round <= 4; ++round) {
    int* scratch = nullptr;
    CHECK_CUDA(cudaMallocAsync(reinterpret_cast<void**>(&scratch), 64 * sizeof(int), stream));
    fill<<<1, 64, 0, stream>>>(scratch, round);
    add<<<1, 64, 0, stream>>>(scratch, out);
    CHECK_CUDA(cudaFreeAsync(scratch, stream));
  }
  CHECK_LAUNCH();
  for (int value : out.host()) CHECK_EQ(value, 10);
  CHECK_CUDA(cudaStreamDestroy(stream));
  return check_result();
}
