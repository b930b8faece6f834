// The program uses the templates of the standard library that the runtime uses too. If the linker gave the runtime the
// program's instrumented copies, the runtime's own accesses would be counted and checked.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "counted.h"

__global__ void copy(const float* in, float* out) { out[threadIdx.x] = in[threadIdx.x]; }

int main() {
  std::vector<uint16_t> order{3, 1, 2};
  std::sort(order.begin(), order.end());
  std::map<unsigned, std::string> sites;
  std::unordered_map<uint64_t, std::vector<uint3>> instructions;
  std::vector<std::unique_ptr<std::string>> names;
  for (const uint16_t n : order) {
    sites[n] = std::to_string(n);
    instructions[n].push_back({n, 0, 0});
    names.push_back(std::make_unique<std::string>("name"));
  }
  CHECK_EQ(sites.size() + instructions.size() + names.size(), 9u);

  DeviceVector<float> in(iota<float>(64)), out(64);
  cpuDeviceSetCounting(1);
  copy<<<1, 64>>>(in, out);
  CHECK_LAUNCH();
  CHECK_EQ(last_launch().global_load.accesses, 64u);
  CHECK_EQ(last_launch().global_store.accesses, 64u);
  CHECK_EQ(last_launch().shared_load.accesses + last_launch().shared_store.accesses, 0u);
  return check_result();
}
