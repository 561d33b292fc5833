#pragma once

// Catch2 v3 where it can be had, v2 elsewhere: the parts that tests use are spelled alike.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
