// Text drawn with the system's fonts. FreeType appears in font.cpp only.
#pragma once

#include <filesystem>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <tcfdl/result.hpp>

namespace plates {

/// A font file that is open. Not thread-safe.
class Font {
public:
  /// NOT_FOUND when the file cannot be opened as a font.
  static tcfdl::Result<Font> open(const std::filesystem::path& file);

  Font(Font&&) noexcept;
  Font& operator=(Font&&) noexcept;
  ~Font();

  /// ASCII text as a mask (CV_8UC1, 255 is ink) that just holds it; capitals are about `height` pixels high and
  /// `spacing` pixels are added between characters.
  [[nodiscard]] cv::Mat draw(const std::string& text, int height, int spacing) const;

private:
  struct State;
  explicit Font(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace plates
