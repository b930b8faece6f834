// expect: error device-pointer-in-host [A]
// expect: error device-pointer-in-host [B]
// Host code is instrumented too, so the line of a dereference is known without any page protection.
#include "counted.h"

int main() {
  DeviceVector<int> values(std::vector<int>(16, 7));
  int* const data = values.get();
  const int seen = data[3];  // [A]
  data[4] = seen + 1;        // [B]
  CHECK_EQ(seen, 7);
  return check_result();
}
