// Adds a neighbour's value in place, for global_race_in_header.cu.
#pragma once

template <typename T>
__device__ void add_neighbour(T* values, int i, int neighbour) {
  const T other = values[neighbour];  // [A]
  values[i] = other + i + 1;          // [B]
}
