// expect: error global-out-of-bounds [A]
// Columns are guarded, rows are not. In 2-D blocks most stray threads have a column that is too
// large; only the last row of blocks writes behind the image.
#include "../device_array.h"

__global__ void invert(const unsigned char* in, unsigned char* out, int width, int height) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width) return;
  const int value = y < height ? in[y * width + x] : 0;
  out[y * width + x] = static_cast<unsigned char>(255 - value);  // [A]
}

int main() {
  const int width = 20, height = 19;
  DeviceArray<unsigned char> in(width * height), out(width * height);
  invert<<<dim3(2, 2), dim3(16, 16)>>>(in, out, width, height);
  return finish();
}
