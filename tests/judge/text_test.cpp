#include "judge/text.h"

#include <gtest/gtest.h>

namespace judge {
namespace {

TEST(Text, TerminalEscapesAreRemoved) {
  EXPECT_EQ(sanitised("\x1b[31;1merror\x1b[0m: x"), "error: x");
  EXPECT_EQ(sanitised("\x1b]0;title\atext"), "text");
  EXPECT_EQ(sanitised("end\x1b"), "end");
  EXPECT_EQ(sanitised("end\x1b["), "end");
}

TEST(Text, OnlyPrintableAsciiIsLeft) {
  EXPECT_EQ(sanitised("a\tb\r\nc"), "a  b\nc");
  EXPECT_EQ(sanitised(std::string("a\0b\x7f\xc3\xa4", 6)), "a?b??");
  EXPECT_EQ(sanitised("\xe2\x80\xae"), "?");  // a bidirectional override
  EXPECT_EQ(sanitised("\xe2\x80\x98z\xe2\x80\x99"), "'z'");
}

TEST(Text, LongTextsAreCutAndSaySo) {
  EXPECT_EQ(first_lines("a\nb\nc\n", 3), "a\nb\nc");
  EXPECT_EQ(first_lines("a\nb\nc\nd\n", 2), "a\nb\n... and 2 more lines");
  EXPECT_EQ(first_lines("", 2), "");
}

TEST(Text, JsonStringsAreEscaped) {
  EXPECT_EQ(json_string("a\"b\\c\nd\x01"), "\"a\\\"b\\\\c\\nd\\u0001\"");
}

TEST(Text, NumbersAreGrouped) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(12345678), "12,345,678");
}

TEST(Text, NeighboursAreJoinedToRanges) {
  EXPECT_EQ(ranges({96, 97, 98, 99}), "96..99");
  EXPECT_EQ(ranges({1, 2, 5, 7, 8, 9}), "1, 2, 5, 7..9");
  EXPECT_EQ(ranges({0, 2, 4, 6, 8, 10}), "0, 2, 4, 6, ...");
  EXPECT_EQ(ranges({}), "");
}

}  // namespace
}  // namespace judge
