/* Binds what glibc 2.35 has anew to what every glibc has. The new `hypot` only drops an error hook of System V that nothing here
 * uses; but what is linked on a newer system asks for it by version, and then does not start on Amazon Linux 2023 (2.34).
 * Hidden: an exported `hypot` would be found by the lookup of the old one, and call itself. */
double old_hypot(double, double);
float old_hypotf(float, float);
#if defined(__x86_64__)
__asm__(".symver old_hypot, hypot@GLIBC_2.2.5");
__asm__(".symver old_hypotf, hypotf@GLIBC_2.2.5");
#else
__asm__(".symver old_hypot, hypot@GLIBC_2.17");
__asm__(".symver old_hypotf, hypotf@GLIBC_2.17");
#endif

__attribute__((visibility("hidden"))) double hypot(double x, double y) { return old_hypot(x, y); }
__attribute__((visibility("hidden"))) float hypotf(float x, float y) { return old_hypotf(x, y); }
