// Launches inside expressions and modern C++: comma expressions, return statements, generic
// lambdas, if constexpr, fold expressions, constructors and range loops.
#include <cuda_runtime.h>

#include <tuple>
#include <utility>

#include "check.h"

__global__ void set(int* out, int value) { *out = value; }
template <int N>
__global__ void set_n(int* out) {
  *out = N;
}
template <typename T>
__global__ void set_size(T*, int* out) {
  *out = sizeof(T);
}

void returns_launch(int* out) { return set<<<1, 1>>>(out, 1); }

cudaError_t launch_and_report(int* out, int value) {
  return set<<<1, 1>>>(out, value), cudaGetLastError();
}

template <int... NS>
void launch_all(int* out, std::integer_sequence<int, NS...>) {
  (set_n<NS><<<1, 1>>>(out + NS), ...);
}

template <typename T>
void launch_sized(T* pointer, int* out) {
  if constexpr (sizeof(T) > 4) {
    set_size<<<1, 1>>>(pointer, out);
  } else {
    set_size<T><<<dim3{1, 1, 1}, dim3{1}>>>(pointer, out);
  }
}

struct Launches {
  explicit Launches(int* out) : out_(out) { set<<<1, 1>>>(out_, 70); }
  ~Launches() { set<<<1, 1>>>(out_ + 1, 71); }
  int* out_;
};

template <int N>
using Int = std::integral_constant<int, N>;

int main() {
  const int n = 20;
  int* d = upload(std::vector<int>(n, -1));
  returns_launch(d);
  CHECK_CUDA(launch_and_report(d + 1, 2));
  CHECK_CUDA((set<<<1, 1>>>(d + 2, 3), cudaGetLastError()));
  auto generic = [&](auto number, int* out) { set_n<decltype(number)::value><<<1, 1>>>(out); };
  generic(Int<4>(), d + 3);
  generic(Int<5>(), d + 4);
  launch_all(d + 5, std::make_integer_sequence<int, 4>());
  launch_sized((double*)nullptr, d + 9);
  launch_sized((char*)nullptr, d + 10);
  { Launches launches(d + 11); }
  std::apply([](auto... args) { set<<<1, 1>>>(args...); }, std::make_tuple(d + 13, 13));
  for (auto [offset, value] : {std::pair(14, 140), std::pair(15, 150)}) {
    set<<<1, 1>>>(d + offset, value);
  }
  const dim3 grid[] = {dim3(1), dim3(1)};
  int k = 0;
  set<<<grid[k], grid[k + 1].x>>>(d + 16, [] { return 16; }());
  set<<<[](int blocks) { return dim3(blocks); }(1), 1>>>(d + 17, 17);
  switch (k) {
    case 0:
      set<<<1, 1>>>(d + 18, 18);
      break;
    default:
      set<<<1, 1>>>(d + 18, -18);
  }
  do set<<<1, 1>>>(d + 19, 19);
  while (++k < 1);
  CHECK_LAUNCH();
  std::vector<int> out = download(d, n);
  const int expected[n] = {1, 2, 3, 4, 5, 0, 1, 2, 3, 8, 1, 70, 71, 13, 140, 150, 16, 17, 18, 19};
  for (int i = 0; i < n; ++i) CHECK_EQ(out[i], expected[i]);
  CHECK_CUDA(cudaFree(d));
  return check_result();
}
