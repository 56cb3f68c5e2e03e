// The three functions in one process, called without the platform.
#pragma once

#include "handlers.hpp"
#include "plate_reader.hpp"

#include <nlohmann/json.hpp>

namespace plates {

class LocalReader {
public:
  static LocalReader& instance() {
    static LocalReader reader;
    return reader;
  }

  tcfdl::Result<tcfdl::CallResult> call(const std::string& function, tcfdl::BytesView body) const {
    auto answer = function == kDetectFunction ? detect_text(detector_, body) : recognise_text(recogniser_, body);
    if (!answer) return answer.error();
    tcfdl::CallReport report;
    report.function = function;
    return tcfdl::CallResult{*std::move(answer), report};
  }

  tcfdl::Result<nlohmann::json> read(tcfdl::BytesView image) const {
    TCFDL_ASSIGN(const auto answer,
                 read_plate([this](const auto& name, auto body) { return call(name, body); }, image));
    return nlohmann::json::parse(tcfdl::as_text(answer));
  }

private:
  LocalReader() = default;
  TextDetector detector_ = TextDetector::load(PLATES_MODELS_DIR, 1).value();
  TextRecogniser recogniser_ = TextRecogniser::load(PLATES_MODELS_DIR, 1).value();
};

} // namespace plates
