// SHA-256 (FIPS 180-4), to recognise an untouched stub.
#pragma once

#include <string>
#include <string_view>

namespace judge {

// As 64 lower-case hexadecimal digits.
std::string sha256(std::string_view data);

}  // namespace judge
