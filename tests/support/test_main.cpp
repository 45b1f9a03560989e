#define BOOST_TEST_MODULE corolla
#include <boost/test/unit_test.hpp>
