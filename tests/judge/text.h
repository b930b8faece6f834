// Strings: formatting, and making a stranger's output fit for a report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace judge {

// printf into a string.
__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...);

// Removes terminal escapes, turns tabs into spaces and everything else that is not printable ASCII into '?',
// keeps line ends.
std::string sanitised(std::string_view text);

// The first lines of a text, with a note of how many were left out.
std::string first_lines(const std::string& text, int lines);

// As a JSON string, quotes included.
std::string json_string(std::string_view text);

// 12345678 as "12,345,678".
// "1.2346", "nan" without the sign that printf writes.
std::string number_words(double value);

std::string with_commas(std::uint64_t number);

// 96, 97, 98, 99, 120 as "96..99, 120"; at most a few ranges, then "...".
std::string ranges(const std::vector<std::int64_t>& sorted_numbers);

}  // namespace judge
