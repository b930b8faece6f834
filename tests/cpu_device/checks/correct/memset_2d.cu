// cudaMemset2D sets a rectangle, which is all that is read.
#include "../device_vector.h"

__global__ void sum(const unsigned char* image, int pitch, int* out) {
  int total = 0;
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 10; ++x) total += image[y * pitch + x];
  }
  *out = total;
}

int main() {
  DeviceVector<unsigned char> image(5 * 64);
  DeviceVector<int> out(1);
  CHECK_CUDA(cudaMemset2D(image, 64, 4, 10, 5));
  sum<<<1, 1>>>(image, 64, out);
  CHECK_LAUNCH();
  CHECK_EQ(out.host()[0], 200);
  return check_result();
}
