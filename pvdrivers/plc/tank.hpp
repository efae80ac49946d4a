// SPDX-License-Identifier: BSD-2-Clause
// The simulated plant, a tank with an outlet and a valve at its inlet, and its controller.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace plc {

// What flows out depends on the level, as of a hole in the bottom.
class Tank {
public:
    void step(double seconds, uint32_t valve_per_mille)
    {
        const double inflow = inflow_at_full * valve_per_mille / 1000;          // m/s of level
        const double outflow = outflow_at_full * std::sqrt(std::max(level_, 0.0));
        level_ = std::clamp(level_ + (inflow - outflow) * seconds, 0.0, height);
    }
    [[nodiscard]] int32_t level_um() const { return static_cast<int32_t>(level_ * 1e6); }

private:
    static constexpr double height = 2.0;               // m
    static constexpr double inflow_at_full = 0.2;
    static constexpr double outflow_at_full = 0.08;
    double level_ = 0.2;
};

// Proportional and integral parts; the integral stops at the valve's ends.
class Controller {
public:
    [[nodiscard]] uint32_t step(double seconds, int32_t setpoint_um, int32_t level_um)
    {
        const double error = (setpoint_um - level_um) * 1e-6;
        const double wanted = gain * error + integral_;
        if (wanted > 0 && wanted < 1)
            integral_ += gain / reset_seconds * error * seconds;
        return static_cast<uint32_t>(std::clamp(wanted, 0.0, 1.0) * 1000);
    }

private:
    static constexpr double gain = 4;
    static constexpr double reset_seconds = 5;
    double integral_ = 0.3;
};

}  // namespace plc
