// expect: error host-pointer [A]
// A parameter is passed by the address of a host variable instead of by value.
#include "../device_array.h"

struct Parameters {
  float scale;
  int count;
};

__global__ void scale(float* values, const Parameters* parameters) {
  const float factor = parameters->scale;  // [A]
  values[threadIdx.x] *= factor;
}

int main() {
  Parameters parameters{2.0f, 64};
  DeviceArray<float> values(64);
  scale<<<1, 64>>>(values, &parameters);
  return finish();
}
