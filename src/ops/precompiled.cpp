// Compiles the header that every LibTorch-using target shares, once.
