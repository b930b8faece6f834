// expect: error uninitialised-global [A]
// The rows of a pitched image are read up to the pitch: the padding behind each row is in the
// allocation, but nothing was copied there.
#include <vector>

#include "../device_array.h"

__global__ void row_sums(const unsigned char* image, size_t pitch, int* sums) {
  const unsigned char* row = image + threadIdx.x * pitch;
  int sum = 0;
  for (size_t x = 0; x < pitch; ++x) {
    sum += row[x];  // [A]
  }
  sums[threadIdx.x] = sum;
}

int main() {
  const int width = 50, height = 8;
  const std::vector<unsigned char> host(width * height, 1);
  unsigned char* image = nullptr;
  size_t pitch = 0;
  cudaMallocPitch(reinterpret_cast<void**>(&image), &pitch, width, height);
  cudaMemcpy2D(image, pitch, host.data(), width, width, height, cudaMemcpyHostToDevice);
  DeviceArray<int> sums(height);
  row_sums<<<1, height>>>(image, pitch, sums);
  finish();
  cudaFree(image);
  return 0;
}
