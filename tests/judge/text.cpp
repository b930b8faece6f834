#include "text.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace judge {

std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  va_list again;
  va_copy(again, arguments);
  std::string text(std::vsnprintf(nullptr, 0, pattern, arguments), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  va_end(arguments);
  return text;
}

std::string sanitised(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t n = 0; n < text.size(); ++n) {
    const char c = text[n];
    if (c == '\x1b') {
      // "ESC [ parameters letter" is a terminal command, "ESC ] text BEL" sets a title, else ESC and one character.
      if (n + 1 < text.size() && text[n + 1] == '[') {
        n += 2;
        while (n < text.size() && (text[n] < '@' || text[n] > '~')) ++n;
      } else if (n + 1 < text.size() && text[n + 1] == ']') {
        while (n < text.size() && text[n] != '\a') ++n;
      } else {
        ++n;
      }
    } else if (c == '\t') {
      clean += "  ";
    } else if (c == '\n' || (c >= ' ' && c <= '~')) {
      clean += c;
    } else if (text.substr(n, 3) == "\xe2\x80\x98" || text.substr(n, 3) == "\xe2\x80\x99") {
      clean += '\'';  // the quotation marks of compilers
      n += 2;
    } else if (c != '\r' && (c & 0xc0) != 0x80) {
      clean += '?';  // once per character: the rest of a UTF-8 sequence is left out
    }
  }
  return clean;
}

std::string first_lines(const std::string& text, int lines) {
  std::size_t end = 0;
  for (int n = 0; n < lines && end < text.size(); ++n) {
    const std::size_t line_end = text.find('\n', end);
    end = line_end == std::string::npos ? text.size() : line_end + 1;
  }
  std::string kept = text.substr(0, end);
  while (!kept.empty() && kept.back() == '\n') kept.pop_back();
  int more = 0;
  for (std::size_t n = end; n < text.size(); ++n)
    if (text[n] == '\n' || n + 1 == text.size()) ++more;
  if (more > 0) kept += format("\n... and %d more lines", more);
  return kept;
}

std::string json_string(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      json += {'\\', c};
    else if (c == '\n')
      json += "\\n";
    else if (static_cast<unsigned char>(c) < ' ')
      json += format("\\u%04x", c);
    else
      json += c;
  }
  return json + '"';
}

std::string number_words(double value) { return std::isnan(value) ? "nan" : format("%.5g", value); }

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (int n = static_cast<int>(digits.size()) - 3; n > 0; n -= 3) digits.insert(n, ",");
  return digits;
}

std::string ranges(const std::vector<std::int64_t>& sorted_numbers) {
  constexpr int kMostRanges = 4;
  std::string text;
  int count = 0;
  for (std::size_t n = 0; n < sorted_numbers.size();) {
    std::size_t last = n;
    while (last + 1 < sorted_numbers.size() && sorted_numbers[last + 1] == sorted_numbers[last] + 1)
      ++last;
    if (count++ > 0) text += ", ";
    if (count > kMostRanges) return text + "...";
    text += std::to_string(sorted_numbers[n]);
    if (last > n) text += (last == n + 1 ? ", " : "..") + std::to_string(sorted_numbers[last]);
    n = last + 1;
  }
  return text;
}

}  // namespace judge
