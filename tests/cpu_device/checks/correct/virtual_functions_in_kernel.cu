// Objects with virtual functions are made in the kernel, in local and in shared memory: their
// tables of functions are read by the calls.
#include <new>

#include "../device_vector.h"

struct Shape {
  __device__ virtual int area() const = 0;
};

struct Square : Shape {
  __device__ explicit Square(int side) : side_(side) {}
  __device__ int area() const override { return side_ * side_; }
  int side_;
};

struct Rectangle : Shape {
  __device__ Rectangle(int a, int b) : a_(a), b_(b) {}
  __device__ int area() const override { return a_ * b_; }
  int a_, b_;
};

__device__ __noinline__ int doubled_area(const Shape& shape) { return 2 * shape.area(); }

__global__ void areas(int* out) {
  __shared__ __align__(16) unsigned char storage[32][sizeof(Square)];
  const int t = threadIdx.x;
  Square* const shared = new (storage[t]) Square(t);
  const Rectangle local(t, 3);
  out[t] = t % 2 ? doubled_area(local) : doubled_area(*shared);
}

int main() {
  DeviceVector<int> out(32);
  areas<<<1, 32>>>(out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int t = 0; t < 32; ++t) CHECK_EQ(seen[t], t % 2 ? 6 * t : 2 * t * t);
  return check_result();
}
