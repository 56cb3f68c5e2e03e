#include "font.hpp"

#include <ft2build.h>
#include FT_FREETYPE_H

#include <opencv2/imgproc.hpp>

namespace plates {

struct Font::State {
  FT_Library library = nullptr;
  FT_Face face = nullptr;
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (face != nullptr) FT_Done_Face(face);
    if (library != nullptr) FT_Done_FreeType(library);
  }
};

Font::Font(std::unique_ptr<State> state) : state_(std::move(state)) {}
Font::Font(Font&&) noexcept = default;
Font& Font::operator=(Font&&) noexcept = default;
Font::~Font() = default;

tcfdl::Result<Font> Font::open(const std::filesystem::path& file) {
  auto state = std::make_unique<State>();
  if (FT_Init_FreeType(&state->library) != 0 || FT_New_Face(state->library, file.c_str(), 0, &state->face) != 0) {
    return tcfdl::Error(tcfdl::Code::kNotFound, "cannot open the font " + file.string());
  }
  return Font(std::move(state));
}

cv::Mat Font::draw(const std::string& text, int height, int spacing) const {
  const auto pixels = static_cast<FT_UInt>(height * 4 / 3); // capitals are three quarters of the em
  FT_Set_Pixel_Sizes(state_->face, 0, pixels);
  const int em = static_cast<int>(pixels);
  cv::Mat canvas = cv::Mat::zeros(2 * em, (static_cast<int>(text.size()) + 2) * (em + spacing), CV_8UC1);
  int pen = em;
  for (const char c : text) {
    if (FT_Load_Char(state_->face, static_cast<FT_ULong>(c), FT_LOAD_RENDER) != 0) continue;
    const auto* const glyph = state_->face->glyph;
    const auto& bitmap = glyph->bitmap;
    const cv::Rect place(pen + glyph->bitmap_left, em * 3 / 2 - glyph->bitmap_top, static_cast<int>(bitmap.width),
                         static_cast<int>(bitmap.rows));
    if (place.area() > 0 && (place & cv::Rect(cv::Point(), canvas.size())) == place) {
      const cv::Mat ink(place.size(), CV_8UC1, bitmap.buffer, static_cast<std::size_t>(bitmap.pitch));
      cv::Mat onto = canvas(place);
      cv::max(cv::InputArray(onto), ink, onto); // glyphs may overlap
    }
    pen += static_cast<int>(glyph->advance.x >> 6) + spacing;
  }
  const auto ink = cv::boundingRect(canvas);
  return ink.empty() ? cv::Mat() : canvas(ink).clone();
}

} // namespace plates
