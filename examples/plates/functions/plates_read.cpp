// The function plates/read: an image to the number plate in it, through text/detect and text/recognise.
#include "plate_reader.hpp"

#include <tcfdl/function.hpp>

int main() {
  return tcfdl::serve([](tcfdl::TaskContext& task, tcfdl::BytesView image) {
    const auto call = [&task](const std::string& function, tcfdl::BytesView body) { return task.call(function, body); };
    return plates::read_plate(call, image);
  });
}
