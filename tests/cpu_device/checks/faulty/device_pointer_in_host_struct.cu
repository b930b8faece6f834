// expect: error device-pointer-in-host [A]
// The struct lives on the device; the host follows its address to get at a member.
#include <cstdio>

#include "../device_array.h"

struct Counters {
  long long hits;
  double weight;
};

__global__ void count(Counters* counters) {
  counters->hits = 7;
  counters->weight = 0.5;
}

template <typename T>
double weight_of(const T* counters) {
  return counters->weight;  // [A]
}

int main() {
  DeviceArray<Counters> counters(1);
  count<<<1, 1>>>(counters);
  finish();
  std::printf("%g\n", weight_of(counters.get()));
  return 0;
}
