#include "scene.hpp"

#include <fmt/format.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace plates {
namespace {

using tcfdl::Result;

// A street: a ground that changes from top to bottom, and things with straight edges on it.
cv::Mat background(cv::Size size, Random& random) {
  cv::Mat image(size, CV_8UC3);
  const cv::Scalar top(random.between(30, 200), random.between(30, 200), random.between(30, 200));
  const cv::Scalar bottom(random.between(20, 150), random.between(20, 150), random.between(20, 150));
  for (int y = 0; y < size.height; ++y) {
    const double share = static_cast<double>(y) / size.height;
    image.row(y).setTo(top * (1 - share) + bottom * share);
  }
  for (std::size_t i = random.below(6); i > 0; --i) {
    const cv::Point corner(static_cast<int>(random.between(0, size.width)),
                           static_cast<int>(random.between(0, size.height)));
    const cv::Size part(static_cast<int>(random.between(0.1, 0.6) * size.width),
                        static_cast<int>(random.between(0.05, 0.3) * size.height));
    const cv::Scalar colour(random.between(0, 255), random.between(0, 255), random.between(0, 255));
    cv::rectangle(image, cv::Rect(corner, part), colour, random.chance(0.5) ? cv::FILLED : 3);
  }
  return image;
}

// Where the plate's corners come to lie: a share of the width, turned by some degrees, each corner moved a little.
std::array<cv::Point2f, 4> placement(cv::Size plate, cv::Size scene, Random& random) {
  const double room = std::min(static_cast<double>(scene.width) / plate.width,
                               static_cast<double>(scene.height) / (1.6 * plate.height));
  const double scale = random.between(0.45, 0.8) * room;
  const double width = plate.width * scale;
  const double height = plate.height * scale;
  const double angle = random.between(-8, 8) * CV_PI / 180;
  const double across = (scene.width - width) / 2;
  const double down = (scene.height - height) / 2;
  const double x = scene.width / 2.0 + random.between(-0.7, 0.7) * across;
  const double y = scene.height / 2.0 + random.between(-0.5, 0.5) * down;
  std::array<cv::Point2f, 4> corners;
  for (std::size_t i = 0; i < 4; ++i) {
    const double right = (i == 1 || i == 2 ? 0.5 : -0.5) * width;
    const double below = (i >= 2 ? 0.5 : -0.5) * height;
    const double wobble = 0.06 * height;
    corners.at(i) = {
        static_cast<float>(x + right * std::cos(angle) - below * std::sin(angle) + random.between(-wobble, wobble)),
        static_cast<float>(y + right * std::sin(angle) + below * std::cos(angle) + random.between(-wobble, wobble))};
  }
  return corners;
}

void put(const cv::Mat& plate, cv::Mat& scene, Random& random) {
  const auto width = static_cast<float>(plate.cols);
  const auto height = static_cast<float>(plate.rows);
  const std::array<cv::Point2f, 4> from{cv::Point2f(0, 0), {width, 0}, {width, height}, {0, height}};
  const auto to = placement(plate.size(), scene.size(), random);
  const auto transform = cv::getPerspectiveTransform(from.data(), to.data());
  cv::Mat warped;
  cv::Mat mask;
  cv::warpPerspective(plate, warped, transform, scene.size(), cv::INTER_AREA);
  cv::warpPerspective(cv::Mat(plate.size(), CV_8UC1, cv::Scalar(255)), mask, transform, scene.size(),
                      cv::INTER_NEAREST);
  warped.copyTo(scene, mask);
}

void age(cv::Mat& image, Random& random) {
  const double blur = random.between(0.3, 1.3);
  cv::GaussianBlur(image, image, cv::Size(), blur);
  image.convertTo(image, -1, random.between(0.7, 1.1), random.between(-20, 25));
  cv::Mat noise(image.size(), CV_16SC3);
  cv::RNG numbers(random.bits());
  numbers.fill(noise, cv::RNG::NORMAL, 0, random.between(0, 14));
  cv::add(image, noise, image, cv::noArray(), CV_8UC3);
}

Result<Scene> render_scene(const std::vector<Font>& fonts, std::size_t number, std::uint64_t seed) {
  const std::array sizes{cv::Size(480, 320), cv::Size(640, 360), cv::Size(640, 480), cv::Size(800, 600),
                         cv::Size(1280, 720)};
  Random random(seed * 1'000'003 + number);
  const auto lines = random_plate_text(random);
  const auto plate = draw_plate(lines, fonts[random.below(fonts.size())], random);
  cv::Mat image = background(sizes.at(random.below(sizes.size())), random);
  put(plate, image, random);
  age(image, random);
  const bool png = random.chance(0.25);
  Scene scene{fmt::format("plate-{:03}.{}", number + 1, png ? "png" : "jpg"), lines.front(), {}};
  if (lines.size() > 1) scene.text += " " + lines[1];
  const int quality = static_cast<int>(random.between(45, 95));
  const auto options = png ? std::vector<int>{} : std::vector<int>{cv::IMWRITE_JPEG_QUALITY, quality};
  if (cv::imencode(png ? ".png" : ".jpg", image, scene.encoded, options)) return scene;
  return tcfdl::Error(tcfdl::Code::kInternal, "cannot encode " + scene.name);
}

} // namespace

Result<std::vector<Scene>> render_scenes(const std::vector<Font>& fonts, std::size_t count, std::uint64_t seed) {
  std::vector<Scene> scenes;
  for (std::size_t number = 0; number < count; ++number) {
    TCFDL_ASSIGN(auto scene, render_scene(fonts, number, seed));
    scenes.push_back(std::move(scene));
  }
  return scenes;
}

std::string comparable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c >= 'a' && c <= 'z') result += static_cast<char>(c - 'a' + 'A');
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) result += c;
  }
  return result;
}

} // namespace plates
