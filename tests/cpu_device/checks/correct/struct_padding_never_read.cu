// Members are written and read one by one; the padding between them stays uninitialised, also when
// the host copies all of it back.
#include "../device_vector.h"

struct Record {
  char kind;
  double weight;
  short count;
};

__global__ void create(Record* records) {
  Record& r = records[threadIdx.x];
  r.kind = static_cast<char>('a' + threadIdx.x % 20);
  r.weight = 0.5 * threadIdx.x;
  r.count = static_cast<short>(threadIdx.x);
}

__global__ void use(const Record* records, double* out) {
  const Record& r = records[31 - threadIdx.x];
  out[threadIdx.x] = r.weight + r.count + (r.kind - 'a');
}

int main() {
  DeviceVector<Record> records(32);
  DeviceVector<double> out(32);
  create<<<1, 32>>>(records);
  use<<<1, 32>>>(records, out);
  CHECK_LAUNCH();
  CHECK_EQ(records.host()[5].weight, 2.5);
  const std::vector<double> seen = out.host();
  for (int i = 0; i < 32; ++i) CHECK_EQ(seen[i], 1.5 * (31 - i) + (31 - i) % 20);
  return check_result();
}
