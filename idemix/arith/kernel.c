/* Powers and products of powers modulo an odd number, for processors with AVX-512 IFMA.
 *
 * A number is an array of digits of 52 bits, the lowest first, in whole vectors of eight; digits beyond those of the modulus
 * are zero. Products are Montgomery's: of a and b, both below 2n, one gets some number below 2n that is a*b/R mod n, where
 * R = 2^(52 * digits) > 4n, so that nothing has to be subtracted in between. What comes in and goes out is bytes, the lowest first.
 *
 * Nothing branches on, or reads from a place that depends on, the bits of a base or of the exponent of kernel_power. Tables are
 * read at places that depend on the exponents of kernel_product; see docs/adr/0005-secret-exponents.md.
 *
 * Source: Montgomery, "Modular Multiplication Without Trial Division", 1985; Gueron and Krasnov, "Software Implementation of
 * Modular Exponentiation, Using Advanced Vector Instructions Architectures", WAIFI 2012, for redundant digits and operands below
 * 2n; Lim and Lee, "More Flexible Exponentiation with Precomputation", CRYPTO 1994, for tables.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define LANES 8
#define DIGIT_BITS 52
#define DIGIT_MASK ((UINT64_C(1) << DIGIT_BITS) - 1)
#define MOST_VECTORS 10
#define LINE 64

#define ON_IFMA __attribute__((target("avx512f,avx512dq,avx512vl,avx512ifma")))
#define INLINE static inline __attribute__((always_inline)) ON_IFMA

typedef __m512i vector;

/* What everything modulo n needs. */
typedef struct {
    uint64_t n[MOST_VECTORS * LANES];
    uint64_t r2[MOST_VECTORS * LANES]; /* R^2 mod n */
    uint64_t n_inverse;                /* -1/n mod 2^52 */
    int digits;
} modulus;

INLINE uint64_t lowest(vector value) { return (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(value)); }

INLINE void load(int vectors, vector *value, const uint64_t *digits) {
    for (int j = 0; j < vectors; j++)
        value[j] = _mm512_loadu_si512(digits + LANES * j);
}

INLINE void store(int vectors, uint64_t *digits, const vector *value) {
    for (int j = 0; j < vectors; j++)
        _mm512_storeu_si512(digits + LANES * j, value[j]);
}

/* value = value * factor / R mod n, below 2n where both were; for `ways` values at once, modulo numbers of as many digits.
 *
 * Digit by digit of the factor. Lanes hold up to 2^60 before carries are taken, at the end; only the lowest one is needed in full
 * on the way, and is kept beside the vectors, in `low`. Each digit waits for the one before it; a second way fills that time where
 * the vectors are few.
 */
INLINE void multiply_ways(int ways, int vectors, const modulus *m, vector (*value)[MOST_VECTORS], const uint64_t *const *factor) {
    vector sum[2][MOST_VECTORS], n[2][MOST_VECTORS];
    const vector zero = _mm512_setzero_si512();
    uint64_t value_0[2], low[2] = {0, 0};

    for (int w = 0; w < ways; w++) {
        load(vectors, n[w], m[w].n);
        value_0[w] = lowest(value[w][0]);
        for (int j = 0; j < vectors; j++)
            sum[w][j] = zero;
    }
    for (int i = 0; i < m->digits; i++)
        for (int w = 0; w < ways; w++) {
            const uint64_t digit = factor[w][i];
            const unsigned __int128 product = (unsigned __int128)value_0[w] * digit;
            const uint64_t lowest_sum = low[w] + ((uint64_t)product & DIGIT_MASK);
            /* So many times n makes the lowest digit zero. */
            const uint64_t times = (lowest_sum * m[w].n_inverse) & DIGIT_MASK;
            const unsigned __int128 added = (unsigned __int128)m[w].n[0] * times;
            const uint64_t carry = (lowest_sum + ((uint64_t)added & DIGIT_MASK)) >> DIGIT_BITS;
            const vector digits = _mm512_set1_epi64((long long)digit), multiples = _mm512_set1_epi64((long long)times);

            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52lo_epu64(sum[w][j], value[w][j], digits);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52lo_epu64(sum[w][j], n[w][j], multiples);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_alignr_epi64(j + 1 < vectors ? sum[w][j + 1] : zero, sum[w][j], 1);
            low[w] = lowest(sum[w][0]) + carry + (uint64_t)(product >> DIGIT_BITS) + (uint64_t)(added >> DIGIT_BITS);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52hi_epu64(sum[w][j], value[w][j], digits);
            for (int j = 0; j < vectors; j++)
                sum[w][j] = _mm512_madd52hi_epu64(sum[w][j], n[w][j], multiples);
        }
    for (int w = 0; w < ways; w++) {
        uint64_t digits[MOST_VECTORS * LANES], carry = 0;
        store(vectors, digits, sum[w]);
        digits[0] = low[w];
        for (int i = 0; i < LANES * vectors; i++) {
            carry += digits[i];
            digits[i] = carry & DIGIT_MASK;
            carry >>= DIGIT_BITS;
        }
        load(vectors, value[w], digits);
    }
}

INLINE void multiply(int vectors, const modulus *m, vector *value, const uint64_t *factor) {
    multiply_ways(1, vectors, m, (vector(*)[MOST_VECTORS])value, &factor);
}

INLINE void square(int vectors, const modulus *m, vector *value) {
    uint64_t digits[MOST_VECTORS * LANES];
    store(vectors, digits, value);
    multiply(vectors, m, value, digits);
}

/* Digits of 52 bits from bytes, and back. */
static void unpack(int count, uint64_t *digits, int digit_count, const uint8_t *bytes, size_t size) {
    memset(digits, 0, sizeof(uint64_t) * (size_t)count);
    for (size_t i = 0; i < size; i++) {
        const size_t bit = 8 * i, digit = bit / DIGIT_BITS, shift = bit % DIGIT_BITS;
        if (digit < (size_t)digit_count)
            digits[digit] |= ((uint64_t)bytes[i] << shift) & DIGIT_MASK;
        if (shift > DIGIT_BITS - 8 && digit + 1 < (size_t)digit_count)
            digits[digit + 1] |= (uint64_t)bytes[i] >> (DIGIT_BITS - shift);
    }
}

static void pack(const uint64_t *digits, int digit_count, uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        const size_t bit = 8 * i, digit = bit / DIGIT_BITS, shift = bit % DIGIT_BITS;
        uint64_t value = digit < (size_t)digit_count ? digits[digit] >> shift : 0;
        if (shift > DIGIT_BITS - 8 && digit + 1 < (size_t)digit_count)
            value |= digits[digit + 1] << (DIGIT_BITS - shift);
        bytes[i] = (uint8_t)value;
    }
}

static void prepare(modulus *m, int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size) {
    m->digits = digits;
    unpack(vectors * LANES, m->n, digits, n, size);
    unpack(vectors * LANES, m->r2, digits, r2, size);
    uint64_t inverse = 1; /* Newton's iteration doubles the bits that are right; the first is, for an odd n. */
    for (int bits = 1; bits < 64; bits *= 2)
        inverse *= 2 - m->n[0] * inverse;
    m->n_inverse = (0 - inverse) & DIGIT_MASK;
}

/* value = 1, in Montgomery's form. */
INLINE void set_one(int vectors, const modulus *m, vector *value) {
    const uint64_t one[MOST_VECTORS * LANES] = {1};
    load(vectors, value, m->r2);
    multiply(vectors, m, value, one);
}

INLINE void read_number(int vectors, const modulus *m, vector *value, const uint8_t *bytes, size_t size) {
    uint64_t digits[MOST_VECTORS * LANES];
    unpack(vectors * LANES, digits, m->digits, bytes, size);
    load(vectors, value, digits);
    multiply(vectors, m, value, m->r2);
}

/* The product with 1/R is at most n, and n only where the number is a multiple of it: the caller takes the remainder. */
INLINE void write_number(int vectors, const modulus *m, vector *value, uint8_t *bytes, size_t size) {
    const uint64_t one[MOST_VECTORS * LANES] = {1};
    uint64_t digits[MOST_VECTORS * LANES];
    multiply(vectors, m, value, one);
    store(vectors, digits, value);
    pack(digits, m->digits, bytes, size);
}

/* Bits of an exponent, from `start` on. */
INLINE unsigned bits_of(const uint8_t *exponent, size_t start, unsigned count) {
    unsigned bits = 0;
    for (unsigned i = 0; i < count; i++)
        bits |= (unsigned)(exponent[(start + i) / 8] >> ((start + i) % 8) & 1) << i;
    return bits;
}

#define MOST_WINDOW 5

/* Windows of equal width from the highest bit down; each costs its squarings and one multiplication, whatever its bits.
 *
 * Of `ways` powers at once, bases, exponents and results follow each other: numbers of `size` bytes, exponents of whole bytes.
 */
INLINE void power(int ways, int vectors, const modulus *m, const uint8_t *bases, const uint8_t *exponents, size_t exponent_bits,
                  uint8_t *results, size_t size) {
    const unsigned width = exponent_bits > 512 ? MOST_WINDOW : exponent_bits > 24 ? 4 : 1;
    uint64_t powers[2][1 << MOST_WINDOW][MOST_VECTORS * LANES], factors[2][MOST_VECTORS * LANES];
    const uint64_t *const factor[2] = {factors[0], factors[1]};
    vector value[2][MOST_VECTORS];

    for (int w = 0; w < ways; w++) {
        set_one(vectors, &m[w], value[w]);
        store(vectors, powers[w][0], value[w]);
        read_number(vectors, &m[w], value[w], bases + (size_t)w * size, size);
        store(vectors, powers[w][1], value[w]);
        for (unsigned i = 2; i < 1u << width; i++) {
            multiply(vectors, &m[w], value[w], powers[w][1]);
            store(vectors, powers[w][i], value[w]);
        }
        load(vectors, value[w], powers[w][0]);
    }
    for (size_t window = (exponent_bits + width - 1) / width; window-- > 0;) {
        const size_t start = window * width;
        const unsigned count = exponent_bits - start < width ? (unsigned)(exponent_bits - start) : width;

        for (unsigned i = 0; i < width; i++) {
            for (int w = 0; w < ways; w++)
                store(vectors, factors[w], value[w]);
            multiply_ways(ways, vectors, m, value, factor);
        }
        /* All powers are read in full, so that neither the cache nor a load that is left out tells which was taken. */
        for (int w = 0; w < ways; w++) {
            const uint8_t *exponent = exponents + (size_t)w * ((exponent_bits + 7) / 8);
            const vector wanted = _mm512_set1_epi64((long long)bits_of(exponent, start, count));
            vector chosen[MOST_VECTORS];
            for (int j = 0; j < vectors; j++)
                chosen[j] = _mm512_setzero_si512();
            for (unsigned i = 0; i < 1u << width; i++) {
                const vector kept = _mm512_movm_epi64(_mm512_cmpeq_epi64_mask(wanted, _mm512_set1_epi64((long long)i)));
                for (int j = 0; j < vectors; j++)
                    chosen[j] = _mm512_or_si512(chosen[j], _mm512_and_si512(kept, _mm512_loadu_si512(powers[w][i] + LANES * j)));
            }
            store(vectors, factors[w], chosen);
        }
        multiply_ways(ways, vectors, m, value, factor);
    }
    for (int w = 0; w < ways; w++)
        write_number(vectors, &m[w], value[w], results + (size_t)w * size, size);
}

/* The 2^teeth products of the powers base^(2^(columns * t)), 0 <= t < teeth; `next` becomes base^(2^(columns * teeth)). */
INLINE void table(int vectors, const modulus *m, const uint8_t *base, unsigned teeth, unsigned columns, uint64_t *entries, uint8_t *next,
                  size_t size) {
    const size_t width = (size_t)vectors * LANES;
    vector power[MOST_VECTORS], value[MOST_VECTORS];
    uint64_t factor[MOST_VECTORS * LANES];

    set_one(vectors, m, value);
    store(vectors, entries, value);
    read_number(vectors, m, power, base, size);
    for (unsigned tooth = 0; tooth < teeth; tooth++) {
        store(vectors, factor, power);
        for (size_t i = 0; i < (size_t)1 << tooth; i++) {
            load(vectors, value, entries + i * width);
            multiply(vectors, m, value, factor);
            store(vectors, entries + (i + ((size_t)1 << tooth)) * width, value);
        }
        for (unsigned i = 0; i < columns; i++)
            square(vectors, m, power);
    }
    write_number(vectors, m, power, next, size);
}

/* One table and the part of an exponent that it serves: bits start + column + columns * tooth. */
typedef struct {
    const uint64_t *entries;
    uint32_t exponent;      /* where it begins among the exponents */
    uint32_t exponent_bits; /* those beyond are zero */
    uint32_t start;
    uint32_t teeth;
    uint32_t columns;
} term;

INLINE const uint64_t *entry_of(int vectors, const term *t, const uint8_t *exponents, unsigned column) {
    const uint8_t *exponent = exponents + t->exponent;
    size_t index = 0;
    for (unsigned tooth = 0; tooth < t->teeth; tooth++) {
        const size_t bit = t->start + column + (size_t)t->columns * tooth;
        if (bit < t->exponent_bits)
            index |= (size_t)(exponent[bit / 8] >> (bit % 8) & 1) << tooth;
    }
    const uint64_t *entry = t->entries + index * (size_t)vectors * LANES;
    for (const char *line = (const char *)entry; line < (const char *)(entry + vectors * LANES); line += LINE)
        __builtin_prefetch(line);
    return entry;
}

#define AHEAD 4

/* From the highest column down; all tables share the squarings. Entries are asked for ahead, since they lie all over the memory. */
INLINE void product(int vectors, const modulus *m, const term *terms, size_t count, const uint8_t *exponents, uint8_t *result,
                    size_t size) {
    const uint64_t *coming[AHEAD];
    size_t read = 0, asked = 0;
    unsigned columns = 0;
    vector value[MOST_VECTORS];

    for (size_t i = 0; i < count; i++)
        if (terms[i].columns > columns)
            columns = terms[i].columns;
    set_one(vectors, m, value);
    size_t next = 0;
    unsigned next_column = columns;
    for (unsigned column = columns; column-- > 0;) {
        square(vectors, m, value);
        for (size_t i = 0; i < count; i++) {
            if (column >= terms[i].columns)
                continue;
            while (asked < read + AHEAD && next_column > 0) {
                if (next_column - 1 < terms[next].columns)
                    coming[asked++ % AHEAD] = entry_of(vectors, &terms[next], exponents, next_column - 1);
                if (++next == count) {
                    next = 0;
                    next_column--;
                }
            }
            multiply(vectors, m, value, coming[read++ % AHEAD]);
        }
    }
    write_number(vectors, m, value, result, size);
}

/* Fermat's test for eight numbers at once: lane k of every vector belongs to number k, and vector j holds the digits j. */

#define MOST_LANE_DIGITS 40

typedef struct {
    vector n[MOST_LANE_DIGITS];
    vector n_inverse; /* -1/n mod 2^52 */
} eight_moduli;

/* Where the number of digits is known, so is every column below: written out in full, all stays in registers. Where it is not, as many
 * as eight products follow each other; more at once made it slower. */
#if defined(__GNUC__) && !defined(__clang__)
#define PRAGMA(text) _Pragma(#text)
#define UNROLLED(times) PRAGMA(GCC unroll times)
#else
#define UNROLLED(times)
#endif

/* value = (value^2 / R mod n) * 2^doublings. The value is below 4n, and R above 16n, so that it is below 2n before it is doubled.
 *
 * Of the digits of n, those from `low` to the highest but one are zero: for the numbers 2^b + d with a short d, among which the
 * primes of signatures are sought, hardly more than the square itself is to be computed. Otherwise `low` is digits - 1.
 *
 * Column by column: column k has the lower halves of the products of digits i and k-i, and the upper halves of those of the column
 * before it (`upper_...`). Products of two different digits of the value are made once and doubled. In a column come together at
 * most 2 * digits halves for the square, as many for the multiples of n, and a carry of less than 2^12: less than 2^60 in all for 40
 * digits, and 2^61 when it is doubled.
 */
INLINE void square_eight(int digits, int low, const eight_moduli *m, vector *value, vector doublings) {
    const vector zero = _mm512_setzero_si512(), mask = _mm512_set1_epi64((long long)DIGIT_MASK);
    vector times[MOST_LANE_DIGITS], carry = zero, upper_twice = zero, upper_once = zero, upper_of_n = zero, upper_lowest = zero;

    UNROLLED(32)
    for (int k = 0; k < 2 * digits; k++) {
        const int least = k < digits ? 0 : k - digits + 1; /* Digits below have no other that makes k with them. */
        vector twice = upper_twice, sum = upper_once, of_n = upper_of_n;

        upper_twice = upper_once = upper_of_n = zero;
        UNROLLED(8)
        for (int i = least; i < k - i; i++) {
            twice = _mm512_madd52lo_epu64(twice, value[i], value[k - i]);
            upper_twice = _mm512_madd52hi_epu64(upper_twice, value[i], value[k - i]);
        }
        if (k % 2 == 0) {
            sum = _mm512_madd52lo_epu64(sum, value[k / 2], value[k / 2]);
            upper_once = _mm512_madd52hi_epu64(upper_once, value[k / 2], value[k / 2]);
        }
        /* The multiples of n; the latest is waited for, and so comes last. */
        if (digits > 1 && k >= digits - 1 && k < 2 * digits - 1) {
            of_n = _mm512_madd52lo_epu64(of_n, times[k - digits + 1], m->n[digits - 1]);
            upper_of_n = _mm512_madd52hi_epu64(upper_of_n, times[k - digits + 1], m->n[digits - 1]);
        }
        UNROLLED(8)
        for (int j = k < low ? k : low - 1; j > 0 && j >= least; j--) {
            of_n = _mm512_madd52lo_epu64(of_n, times[k - j], m->n[j]);
            upper_of_n = _mm512_madd52hi_epu64(upper_of_n, times[k - j], m->n[j]);
        }
        sum = _mm512_add_epi64(sum, _mm512_add_epi64(twice, twice));
        if (k < digits) {
            sum = _mm512_add_epi64(_mm512_add_epi64(_mm512_add_epi64(sum, carry), upper_lowest), of_n);
            /* So many times n makes this digit zero: what is carried is the next multiple of 2^52. */
            times[k] = _mm512_madd52lo_epu64(zero, sum, m->n_inverse);
            carry = _mm512_srli_epi64(_mm512_add_epi64(sum, mask), DIGIT_BITS);
            upper_lowest = _mm512_madd52hi_epu64(zero, times[k], m->n[0]);
            if (k == digits - 1)
                carry = _mm512_sllv_epi64(_mm512_add_epi64(carry, upper_lowest), doublings);
        } else {
            sum = _mm512_add_epi64(_mm512_sllv_epi64(_mm512_add_epi64(sum, of_n), doublings), carry);
            value[k - digits] = _mm512_and_si512(sum, mask); /* The digits below k - digits + 1 are not needed any more. */
            carry = _mm512_srli_epi64(sum, DIGIT_BITS);
        }
    }
}

/* The digits of eight numbers of `size` bytes each. */
ON_IFMA static void read_eight(int digits, vector *value, const uint8_t *bytes, size_t size) {
    uint64_t lanes[MOST_LANE_DIGITS][LANES], one[MOST_LANE_DIGITS];
    for (int k = 0; k < LANES; k++) {
        unpack(digits, one, digits, bytes + (size_t)k * size, size);
        for (int j = 0; j < digits; j++)
            lanes[j][k] = one[j];
    }
    for (int j = 0; j < digits; j++)
        value[j] = _mm512_loadu_si512(lanes[j]);
}

/* value = 2^(n-1) * R mod n, below 2n, from R mod n. The numbers have at most so many bits. */
INLINE void power_of_two(int digits, int low, const eight_moduli *m, vector *value, size_t bits) {
    const vector zero = _mm512_setzero_si512(), one = _mm512_set1_epi64(1);
    for (size_t bit = bits; bit-- > 1;) {
        const vector shifted = _mm512_srli_epi64(m->n[bit / DIGIT_BITS], (unsigned)(bit % DIGIT_BITS));
        square_eight(digits, low, m, value, _mm512_and_si512(shifted, one));
    }
    square_eight(digits, low, m, value, zero); /* n-1 is n but for the lowest bit. */
}

/* The primes of signatures by keys of 1024 and 2048 bits, 2^596 + d and 2^644 + d, have so many digits, and d, of 119 bits, has three. */
#define FOR_EACH_LENGTH(X) X(12) X(13)
#define LOW_DIGITS 3

#define INSTANCE(D)                                                                                                                \
    ON_IFMA static void power_of_two_##D(const eight_moduli *m, vector *value, size_t bits) {                                      \
        power_of_two(D, LOW_DIGITS, m, value, bits);                                                                               \
    }
FOR_EACH_LENGTH(INSTANCE)
#undef INSTANCE

/* Bit k of the result tells whether 2^(n-1) = 1 mod n for number k. The numbers are odd, and `ones` holds R mod n of each. */
ON_IFMA static unsigned fermat(int digits, const uint8_t *numbers, const uint8_t *ones, size_t size) {
    const vector zero = _mm512_setzero_si512(), mask = _mm512_set1_epi64((long long)DIGIT_MASK);
    vector value[MOST_LANE_DIGITS], one[MOST_LANE_DIGITS], inverse = _mm512_set1_epi64(1);
    eight_moduli m;
    int low = digits - 1;
    unsigned passed = 0;

    read_eight(digits, m.n, numbers, size);
    while (low > 1 && _mm512_test_epi64_mask(m.n[low - 1], m.n[low - 1]) == 0)
        low--;
    for (int bits = 1; bits < DIGIT_BITS; bits *= 2) {
        const vector product = _mm512_madd52lo_epu64(zero, m.n[0], inverse);
        inverse = _mm512_madd52lo_epu64(zero, inverse, _mm512_sub_epi64(_mm512_set1_epi64(2), product));
    }
    m.n_inverse = _mm512_and_si512(_mm512_sub_epi64(zero, inverse), mask);
    read_eight(digits, one, ones, size);
    memcpy(value, one, sizeof(vector) * (size_t)digits);
    switch (low <= LOW_DIGITS ? digits : 0) {
#define CASE(D)                                                                                                                    \
    case D:                                                                                                                        \
        power_of_two_##D(&m, value, 8 * size);                                                                                     \
        break;
        FOR_EACH_LENGTH(CASE)
#undef CASE
    default:
        power_of_two(digits, low, &m, value, 8 * size);
    }
    /* The power is below 2n: 1 is R mod n, or n more. */
    for (int multiple = 0; multiple < 2; multiple++) {
        vector different = zero, carry = zero;
        for (int j = 0; j < digits; j++) {
            different = _mm512_or_si512(different, _mm512_xor_si512(value[j], one[j]));
            carry = _mm512_add_epi64(carry, _mm512_add_epi64(one[j], m.n[j]));
            one[j] = _mm512_and_si512(carry, mask);
            carry = _mm512_srli_epi64(carry, DIGIT_BITS);
        }
        passed |= _mm512_cmpeq_epi64_mask(different, zero);
    }
    return passed;
}

#define FOR_EACH_SIZE(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10)

#define INSTANCE(V)                                                                                                                \
    ON_IFMA static void power_##V(int ways, const modulus *m, const uint8_t *bases, const uint8_t *exponents, size_t exponent_bits, \
                                  uint8_t *results, size_t size) {                                                                 \
        if (ways == 1)                                                                                                             \
            power(1, V, m, bases, exponents, exponent_bits, results, size);                                                        \
        else                                                                                                                       \
            power(2, V, m, bases, exponents, exponent_bits, results, size);                                                        \
    }                                                                                                                              \
    ON_IFMA static void table_##V(const modulus *m, const uint8_t *base, unsigned teeth, unsigned columns, uint64_t *entries,      \
                                  uint8_t *next, size_t size) {                                                                    \
        table(V, m, base, teeth, columns, entries, next, size);                                                                    \
    }                                                                                                                              \
    ON_IFMA static void product_##V(const modulus *m, const term *terms, size_t count, const uint8_t *exponents, uint8_t *result,  \
                                    size_t size) {                                                                                 \
        product(V, m, terms, count, exponents, result, size);                                                                      \
    }
FOR_EACH_SIZE(INSTANCE)

int kernel_runs_here(void) { return __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"); }

/* One power, or two at once modulo numbers of as many digits; what belongs to the second follows what belongs to the first. */
void kernel_power(int ways, int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size, const uint8_t *bases,
                  const uint8_t *exponents, size_t exponent_bits, uint8_t *results) {
    modulus m[2];
    for (int w = 0; w < ways; w++)
        prepare(&m[w], vectors, digits, n + (size_t)w * size, r2 + (size_t)w * size, size);
    switch (vectors) {
#define CASE(V)                                                                                                                    \
    case V:                                                                                                                        \
        power_##V(ways, m, bases, exponents, exponent_bits, results, size);                                                        \
        break;
        FOR_EACH_SIZE(CASE)
#undef CASE
    }
}

void kernel_table(int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size, const uint8_t *base, unsigned teeth,
                  unsigned columns, uint64_t *entries, uint8_t *next) {
    modulus m;
    prepare(&m, vectors, digits, n, r2, size);
    switch (vectors) {
#define CASE(V)                                                                                                                    \
    case V:                                                                                                                        \
        table_##V(&m, base, teeth, columns, entries, next, size);                                                                  \
        break;
        FOR_EACH_SIZE(CASE)
#undef CASE
    }
}

void kernel_product(int vectors, int digits, const uint8_t *n, const uint8_t *r2, size_t size, const term *terms, size_t count,
                    const uint8_t *exponents, uint8_t *result) {
    modulus m;
    prepare(&m, vectors, digits, n, r2, size);
    switch (vectors) {
#define CASE(V)                                                                                                                    \
    case V:                                                                                                                        \
        product_##V(&m, terms, count, exponents, result, size);                                                                               \
        break;
        FOR_EACH_SIZE(CASE)
#undef CASE
    }
}

unsigned kernel_fermat(int digits, const uint8_t *numbers, const uint8_t *ones, size_t size) { return fermat(digits, numbers, ones, size); }

#else

int kernel_runs_here(void) { return 0; }

#endif
