// expect: error global-out-of-bounds [A]
// Launches made by macros, of templates whose arguments end in >>>, and text that only looks like one: all
// of them keep their lines, so the finding at the end has the right one.
#include "counted.h"

#define LAUNCH(kernel, ...) kernel<<<1, 32>>>(__VA_ARGS__)
#define TWICE(call) \
  call;             \
  call

template <typename T>
struct Box {
  T value;
};

// A comment with not_a_kernel<<<1, 1>>>() in it.
template <typename T, int kAdd>
__global__ void add(T* out) {
  reinterpret_cast<int*>(out)[threadIdx.x] += kAdd;
}

template <typename T>
__global__ void overrun(T* out) {
  out[threadIdx.x + 1].value = 1;  // [A]
}

int main() {
  DeviceVector<int> out(std::vector<int>(32, 0));
  const char* const text = "not_a_kernel<<<1, 1>>>()";
  CHECK_EQ(text[12], '<');
  LAUNCH((add<int, 1>), out);
  TWICE((add<int, 2><<<1, 32>>>(out)));
  add<Box<Box<int>>, (16 >> 2)><<<1, 32>>>(reinterpret_cast<Box<Box<int>>*>(out.get()));
  CHECK_EQ(out.host()[31], 9);
  overrun<Box<int>><<<1, 32>>>(reinterpret_cast<Box<int>*>(out.get()));
  cudaDeviceSynchronize();
  cudaGetLastError();
  return check_result();
}
