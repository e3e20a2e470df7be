// The tables behind unicode.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mapflow::jinja::detail::unicode {

struct Span {
  std::uint32_t first, last;
};
/// Every `step`th character of first … last becomes itself + delta.
struct CaseRun {
  std::uint32_t first, last, step;
  std::int32_t delta;
};
/// A character whose other case is several characters.
struct CaseText {
  std::uint32_t code;
  const char* text;
};

extern const Span kAlpha[], kDecimal[], kDigit[], kNumeric[], kUpper[], kLower[], kTitle[], kSpace[], kPrintable[],
    kCaseIgnorable[];
extern const std::size_t kAlphaCount, kDecimalCount, kDigitCount, kNumericCount, kUpperCount, kLowerCount, kTitleCount,
    kSpaceCount, kPrintableCount, kCaseIgnorableCount;
extern const CaseRun kToUpper[], kToLower[], kToTitle[], kToFold[];
extern const std::size_t kToUpperCount, kToLowerCount, kToTitleCount, kToFoldCount;
extern const CaseText kToAscii[];
extern const std::size_t kToAsciiCount;
extern const CaseText kToUpperLong[], kToLowerLong[], kToTitleLong[], kToFoldLong[];
extern const std::size_t kToUpperLongCount, kToLowerLongCount, kToTitleLongCount, kToFoldLongCount;

}  // namespace mapflow::jinja::detail::unicode
