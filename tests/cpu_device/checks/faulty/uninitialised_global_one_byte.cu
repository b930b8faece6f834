// expect: error uninitialised-global [A]
// Three bytes of each pixel are written, the fourth, alpha, is read with the rest as one int.
#include "../device_array.h"

__global__ void write_colours(unsigned char* pixels) {
  for (int k = 0; k < 3; ++k) pixels[4 * threadIdx.x + k] = static_cast<unsigned char>(k + 1);
}

__global__ void pack(const unsigned* pixels, unsigned* out) {
  out[threadIdx.x] = pixels[threadIdx.x] >> 8;  // [A]
}

int main() {
  DeviceArray<unsigned char> pixels(4 * 64, Fill::kNone);
  DeviceArray<unsigned> out(64);
  write_colours<<<1, 64>>>(pixels);
  pack<<<1, 64>>>(reinterpret_cast<const unsigned*>(pixels.get()), out);
  return finish();
}
