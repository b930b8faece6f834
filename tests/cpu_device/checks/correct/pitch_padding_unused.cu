// A pitched image: the padding behind each row is never initialised and never read.
#include "../device_vector.h"

__global__ void row_sums(const float* image, size_t pitch, int width, float* sums) {
  const float* row =
      reinterpret_cast<const float*>(reinterpret_cast<const char*>(image) + threadIdx.x * pitch);
  float sum = 0.0f;
  for (int x = 0; x < width; ++x) sum += row[x];
  sums[threadIdx.x] = sum;
}

int main() {
  const int width = 33, height = 7;
  const std::vector<float> host(width * height, 2.0f);
  float* image = nullptr;
  size_t pitch = 0;
  CHECK_CUDA(cudaMallocPitch(&image, &pitch, width * sizeof(float), height));
  CHECK_CUDA(cudaMemcpy2D(
      image, pitch, host.data(), width * sizeof(float), width * sizeof(float), height,
      cudaMemcpyHostToDevice));
  DeviceVector<float> sums(height);
  row_sums<<<1, height>>>(image, pitch, width, sums);
  CHECK_LAUNCH();
  for (float sum : sums.host()) CHECK_EQ(sum, 66.0f);
  CHECK_CUDA(cudaFree(image));
  return check_result();
}
