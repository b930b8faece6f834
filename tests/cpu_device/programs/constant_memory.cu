// __constant__ scalars, arrays and structs through cudaMemcpyToSymbol and FromSymbol with offsets;
// a copy to the wrong place leaves old coefficients.
#include <cuda_runtime.h>

#include "check.h"

struct Camera {
  float position[3];
  int width, height;
};

__constant__ float coefficients[8];
__constant__ int table[4] = {2, 3, 5, 7};
__constant__ Camera camera;
static __constant__ double scale = 0.5;

__global__ void read_all(float* out, int* ints) {
  const int i = threadIdx.x;
  if (i < 8) out[i] = coefficients[i];
  if (i < 4) ints[i] = table[i];
  if (i == 0) {
    out[8] = camera.position[2];
    out[9] = static_cast<float>(scale);
    ints[4] = camera.width * camera.height;
  }
}

int main() {
  float* d_out = upload(std::vector<float>(10, NAN));
  int* d_ints = upload(std::vector<int>(5, -1));

  const float all[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  CHECK_CUDA(cudaMemcpyToSymbol(coefficients, all, sizeof(all)));
  const float two[2] = {30, 40};
  CHECK_CUDA(cudaMemcpyToSymbol(coefficients, two, sizeof(two), 3 * sizeof(float)));
  const Camera host_camera = {{1.0f, 2.0f, 9.5f}, 640, 480};
  CHECK_CUDA(cudaMemcpyToSymbol(camera, &host_camera, sizeof(Camera), 0, cudaMemcpyHostToDevice));

  read_all<<<1, 32>>>(d_out, d_ints);
  CHECK_LAUNCH();
  std::vector<float> out = download(d_out, 10);
  const float expected[10] = {0, 1, 2, 30, 40, 5, 6, 7, 9.5f, 0.5f};
  for (int i = 0; i < 10; ++i) CHECK_EQ(out[i], expected[i]);
  std::vector<int> ints = download(d_ints, 5);
  const int expected_ints[5] = {2, 3, 5, 7, 640 * 480};
  for (int i = 0; i < 5; ++i) CHECK_EQ(ints[i], expected_ints[i]);

  float back[3] = {};
  CHECK_CUDA(cudaMemcpyFromSymbol(back, coefficients, sizeof(back), 2 * sizeof(float)));
  CHECK_EQ(back[0], 2.0f);
  CHECK_EQ(back[1], 30.0f);
  CHECK_EQ(back[2], 40.0f);

  const double half = 0.25;
  CHECK_CUDA(cudaMemcpyToSymbol(scale, &half, sizeof(half)));
  const int eleven = 11;
  CHECK_CUDA(cudaMemcpyToSymbolAsync(
      table, &eleven, sizeof(int), 3 * sizeof(int), cudaMemcpyHostToDevice, 0));
  read_all<<<1, 32>>>(d_out, d_ints);
  CHECK_LAUNCH();
  CHECK_EQ(download(d_out, 10)[9], 0.25f);
  CHECK_EQ(download(d_ints, 5)[3], 11);
  CHECK_EQ(download(d_ints, 5)[0], 2);
  CHECK_CUDA(cudaFree(d_out));
  CHECK_CUDA(cudaFree(d_ints));
  return check_result();
}
