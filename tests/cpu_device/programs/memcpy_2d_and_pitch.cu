// cudaMallocPitch, cudaMemcpy2D and cudaMemset2D: rows start a pitch apart, and the bytes between
// the width and the pitch are not touched.
#include <cuda_runtime.h>

#include "check.h"

__global__ void add_row_number(float* data, size_t pitch, int width, int height) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < width && y < height) {
    float* row = (float*)((char*)data + y * pitch);
    row[x] += 1000.0f * y;
  }
}

int main() {
  const int width = 37, height = 11;
  std::vector<float> source(width * height), target(width * height, -1);
  for (int i = 0; i < width * height; ++i) source[i] = static_cast<float>(i);
  float* d_data = nullptr;
  size_t pitch = 0;
  CHECK_CUDA(cudaMallocPitch(&d_data, &pitch, width * sizeof(float), height));
  CHECK(pitch >= width * sizeof(float));
  CHECK_EQ(pitch % 32, 0u);

  const size_t bytes = width * sizeof(float);
  CHECK_CUDA(cudaMemset2D(d_data, pitch, 0x3c, pitch, height));
  CHECK_CUDA(
      cudaMemcpy2D(d_data, pitch, source.data(), bytes, bytes, height, cudaMemcpyHostToDevice));
  add_row_number<<<dim3(2, 3), dim3(32, 4)>>>(d_data, pitch, width, height);
  CHECK_LAUNCH();
  CHECK_CUDA(
      cudaMemcpy2D(target.data(), bytes, d_data, pitch, bytes, height, cudaMemcpyDeviceToHost));
  for (int i = 0; i < width * height; ++i) CHECK_EQ(target[i], i + 1000.0f * (i / width));
  std::vector<unsigned char> raw = download((unsigned char*)d_data, pitch * height);
  for (size_t i = 0; i < raw.size(); ++i) {
    if (i % pitch >= bytes) CHECK_EQ(static_cast<int>(raw[i]), 0x3c);
  }

  // A window out of the middle, asynchronously, into a tight array on the device.
  float* d_window = nullptr;
  CHECK_CUDA(cudaMalloc(&d_window, 5 * 3 * sizeof(float)));
  const float* corner = (const float*)((const char*)d_data + 4 * pitch) + 7;
  CHECK_CUDA(cudaMemcpy2DAsync(
      d_window, 5 * sizeof(float), corner, pitch, 5 * sizeof(float), 3, cudaMemcpyDeviceToDevice,
      0));
  std::vector<float> window = download(d_window, 15);
  for (int i = 0; i < 15; ++i) {
    const int x = 7 + i % 5, y = 4 + i / 5;
    CHECK_EQ(window[i], y * width + x + 1000.0f * y);
  }
  CHECK_ERROR(
      cudaMemcpy2D(target.data(), 8, d_data, pitch, bytes, 2, cudaMemcpyDeviceToHost),
      cudaErrorInvalidPitchValue);  // a row wider than the pitch
  CHECK_ERROR(cudaGetLastError(), cudaErrorInvalidPitchValue);
  CHECK_CUDA(cudaFree(d_window));
  CHECK_CUDA(cudaFree(d_data));
  return check_result();
}
